#include "model/architectures.h"

#include <fmt/format.h>

#include <array>
#include <string>

#include "base/error.h"
#include "model/architectures/blocks.h"
#include "model/architectures/gguf_families.h"
#include "model/architectures/hf_families.h"

namespace assay {
namespace {

using Name = std::pair<std::string_view, std::string_view>;

constexpr auto kQwen3Names = std::to_array<Name>({
    {"attn_q_norm", "self_attn.q_norm"},
    {"attn_k_norm", "self_attn.k_norm"},
});
constexpr auto kPhi3Names = std::to_array<Name>({
    {"attn_qkv", "self_attn.qkv_proj"},
    {"ffn_up", "mlp.gate_up_proj"},
});
// Here ffn_norm stands before the MLP, behind a norm of its own after attention.
constexpr auto kGemmaNames = std::to_array<Name>({
    {"attn_q_norm", "self_attn.q_norm"},
    {"attn_k_norm", "self_attn.k_norm"},
    {"post_attention_norm", "post_attention_layernorm"},
    {"ffn_norm", "pre_feedforward_layernorm"},
    {"post_ffw_norm", "post_feedforward_layernorm"},
});
constexpr auto kOlmo2Names = std::to_array<Name>({
    {"attn_q_norm", "self_attn.q_norm"},
    {"attn_k_norm", "self_attn.k_norm"},
    {"post_attention_norm", "post_attention_layernorm"},
    {"post_ffw_norm", "post_feedforward_layernorm"},
});
constexpr auto kMixtralNames = std::to_array<Name>({
    {"ffn_gate_inp", "block_sparse_moe.gate"},
    {"ffn_gate_exps", "block_sparse_moe.experts.*.w1"},
    {"ffn_up_exps", "block_sparse_moe.experts.*.w3"},
    {"ffn_down_exps", "block_sparse_moe.experts.*.w2"},
});
constexpr auto kQwenMoeNames = std::to_array<Name>({
    {"attn_q_norm", "self_attn.q_norm"},
    {"attn_k_norm", "self_attn.k_norm"},
    {"ffn_gate_inp", "mlp.gate"},
    {"ffn_gate_exps", "mlp.experts.*.gate_proj"},
    {"ffn_up_exps", "mlp.experts.*.up_proj"},
    {"ffn_down_exps", "mlp.experts.*.down_proj"},
    {"ffn_gate_inp_shexp", "mlp.shared_expert_gate"},
    {"ffn_gate_shexp", "mlp.shared_expert.gate_proj"},
    {"ffn_up_shexp", "mlp.shared_expert.up_proj"},
    {"ffn_down_shexp", "mlp.shared_expert.down_proj"},
});

constexpr auto kArchitectures = std::to_array<Architecture>({
    {"LlamaForCausalLM",
     "llama",
     "llama",
     false,
     parse_llama_hf,
     parse_llama_gguf,
     pre_norm_block,
     {},
     true,
     false},
    {"MistralForCausalLM", "mistral", "", false, parse_mistral_hf, nullptr, pre_norm_block, {}, true, false},
    {"MixtralForCausalLM", "mixtral", "llama", true, parse_mixtral_hf, parse_llama_gguf, mixtral_block,
     kMixtralNames, true, false},
    {"Qwen2ForCausalLM",
     "qwen2",
     "qwen2",
     false,
     parse_qwen2_hf,
     parse_qwen2_gguf,
     pre_norm_block,
     {},
     false,
     false},
    {"Qwen3ForCausalLM", "qwen3", "qwen3", false, parse_qwen3_hf, parse_qwen3_gguf, pre_norm_block,
     kQwen3Names, false, false},
    {"Qwen2MoeForCausalLM", "qwen2_moe", "qwen2moe", true, parse_qwen2_moe_hf, parse_qwen2_moe_gguf,
     pre_norm_block, kQwenMoeNames, false, false},
    {"Qwen3MoeForCausalLM", "qwen3_moe", "qwen3moe", true, parse_qwen3_moe_hf, parse_qwen3_moe_gguf,
     pre_norm_block, kQwenMoeNames, false, false},
    {"Phi3ForCausalLM", "phi3", "phi3", false, parse_phi3_hf, parse_phi3_gguf, phi3_block, kPhi3Names, false,
     false},
    {"Gemma2ForCausalLM", "gemma2", "gemma2", false, parse_gemma2_hf, parse_gemma2_gguf, gemma_block,
     kGemmaNames, false, true},
    {"Gemma3ForCausalLM", "gemma3_text", "gemma3", false, parse_gemma3_hf, parse_gemma3_gguf, gemma_block,
     kGemmaNames, false, true},
    {"Olmo2ForCausalLM", "olmo2", "olmo2", false, parse_olmo2_hf, parse_olmo2_gguf, olmo2_block, kOlmo2Names,
     false, false},
});

// Multimodal classes, and the one that its language model would be by itself.
constexpr auto kTextParts = std::to_array<Name>({
    {"Gemma3ForConditionalGeneration", "Gemma3ForCausalLM"},
});

[[noreturn]] void refuse(std::string_view Architecture::*field, std::string_view name,
                         std::string_view what) {
    std::string supported;
    for (const Architecture& row : kArchitectures) {
        const std::string own(row.*field);
        if (own.empty() || supported.find(own + ",") != std::string::npos) continue;
        supported += (supported.empty() ? "" : " ") + own + ",";
    }
    supported.pop_back();
    throw Unsupported(
        fmt::format("{}: architecture {} is not supported; supported: {}", what, name, supported));
}

}  // namespace

std::span<const Architecture> architectures() {
    return kArchitectures;
}

const Architecture& find_hf_architecture(std::string_view name, std::string_view what) {
    for (const Architecture& row : kArchitectures) {
        if (row.hf_name == name) return row;
    }
    refuse(&Architecture::hf_name, name, what);
}

const Architecture& find_gguf_architecture(const GgufFile& file) {
    const std::string name(file.require_string("general.architecture"));
    const bool experts = file.find_uint(name + ".expert_count").value_or(0) > 0;
    const Architecture* found = nullptr;  // where only the experts do not fit, its parser says what is wrong
    for (const Architecture& row : kArchitectures) {
        if (row.gguf_name != name || row.parse_gguf == nullptr) continue;
        if (row.gguf_experts == experts) return row;
        found = &row;
    }
    if (found != nullptr) return *found;
    refuse(&Architecture::gguf_name, name, file.what());
}

std::optional<std::string_view> find_gguf_name(const Architecture& architecture, std::string_view name) {
    for (const auto& [from, to] : architecture.gguf_names) {
        if (from == name) return to;
    }
    return std::nullopt;
}

Json text_config(const Json& config, std::string_view what) {
    const Json* names = optional_array(config, "architectures", what);
    for (const auto& [whole, own] : kTextParts) {
        if (names == nullptr || names->empty() || (*names)[0] != whole) continue;
        Json text = require_object(config, "text_config", what);
        text["architectures"] = {own};
        text["tie_word_embeddings"] = optional_bool(config, "tie_word_embeddings", what).value_or(true);
        for (const char* key : {"quantization_config", "compression_config"}) {
            if (config.contains(key)) text[key] = config[key];
        }
        return text;
    }
    return config;
}

std::vector<BlockProgram> make_blocks(const ModelConfig& config) {
    const Architecture& row = find_hf_architecture(config.architecture, "model");
    std::vector<BlockProgram> blocks;
    for (std::int64_t layer = 0; layer < config.layers; ++layer) blocks.push_back(row.block(config, layer));
    return blocks;
}

}  // namespace assay
