// Models as GGUF files, written as llama.cpp's converter writes them. Used by tests only.
// Source: llama.cpp, conversion/{base,llama,qwen,phi,gemma,olmo}.py (keys, changes of tensors),
// gguf-py/gguf/tensor_mapping.py (names).
#pragma once

#include <cmath>
#include <filesystem>
#include <functional>
#include <map>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "container/gguf_writer.h"
#include "model/config.h"
#include "model/model.h"

namespace assay {

// What the converter does to one family.
struct GgufFamily {
    const char* arch;
    bool permutes = false;      // q and k, weights and biases
    bool shifts_norms = false;  // adds 1
    // Parts of names that differ from Llama's, looked at first.
    std::vector<std::pair<std::string, std::string>> names = {};
};

inline const GgufFamily& gguf_family(const std::string& hf_name) {
    using Names = std::vector<std::pair<std::string, std::string>>;
    static const Names norms{{"self_attn.q_norm", "attn_q_norm"}, {"self_attn.k_norm", "attn_k_norm"}};
    static const Names post{{"self_attn.q_norm", "attn_q_norm"},
                            {"self_attn.k_norm", "attn_k_norm"},
                            {"post_attention_layernorm", "post_attention_norm"},
                            {"pre_feedforward_layernorm", "ffn_norm"},
                            {"post_feedforward_layernorm", "post_ffw_norm"}};
    static const Names experts{{"self_attn.q_norm", "attn_q_norm"},
                               {"self_attn.k_norm", "attn_k_norm"},
                               {"mlp.shared_expert_gate", "ffn_gate_inp_shexp"},
                               {"mlp.shared_expert.gate_proj", "ffn_gate_shexp"},
                               {"mlp.shared_expert.up_proj", "ffn_up_shexp"},
                               {"mlp.shared_expert.down_proj", "ffn_down_shexp"},
                               {"mlp.experts.*.gate_proj", "ffn_gate_exps"},
                               {"mlp.experts.*.up_proj", "ffn_up_exps"},
                               {"mlp.experts.*.down_proj", "ffn_down_exps"},
                               {"mlp.gate.", "ffn_gate_inp."}};
    static const Names mixtral{{"block_sparse_moe.gate.", "ffn_gate_inp."},
                               {"block_sparse_moe.experts.*.w1", "ffn_gate_exps"},
                               {"block_sparse_moe.experts.*.w2", "ffn_down_exps"},
                               {"block_sparse_moe.experts.*.w3", "ffn_up_exps"}};
    static const std::map<std::string, GgufFamily> all{
        {"LlamaForCausalLM", {"llama", true}},
        {"MistralForCausalLM", {"llama", true}},
        {"MixtralForCausalLM", {"llama", true, false, mixtral}},
        {"Qwen2ForCausalLM", {"qwen2"}},
        {"Qwen3ForCausalLM", {"qwen3", false, false, norms}},
        {"Qwen2MoeForCausalLM", {"qwen2moe", false, false, experts}},
        {"Qwen3MoeForCausalLM", {"qwen3moe", false, false, experts}},
        {"Phi3ForCausalLM",
         {"phi3", false, false, {{"self_attn.qkv_proj", "attn_qkv"}, {"mlp.gate_up_proj", "ffn_up"}}}},
        {"Gemma2ForCausalLM", {"gemma2", false, true, post}},
        {"Gemma3ForCausalLM", {"gemma3", false, true, post}},
        {"Olmo2ForCausalLM", {"olmo2", false, false, post}},
    };
    return all.at(hf_name);
}

// "model.layers.1.mlp.up_proj.weight" -> "blk.1.ffn_up.weight"
inline std::string gguf_name(const GgufFamily& family, std::string name) {
    static const std::vector<std::pair<std::string, std::string>> parts{
        {"model.layers.", "blk."},        {"model.embed_tokens", "token_embd"},
        {"model.norm", "output_norm"},    {"lm_head", "output"},
        {"input_layernorm", "attn_norm"}, {"post_attention_layernorm", "ffn_norm"},
        {"self_attn.q_proj", "attn_q"},   {"self_attn.k_proj", "attn_k"},
        {"self_attn.v_proj", "attn_v"},   {"self_attn.o_proj", "attn_output"},
        {"mlp.gate_proj", "ffn_gate"},    {"mlp.up_proj", "ffn_up"},
        {"mlp.down_proj", "ffn_down"},
    };
    for (const auto* list : {&family.names, &parts}) {
        for (const auto& [from, to] : *list) {
            if (const auto at = name.find(from); at != std::string::npos) name.replace(at, from.size(), to);
        }
    }
    return name;
}

// llama.cpp's permute of q and k: within a head, row 2i + s of the file is row s·d/2 + i of the model. As
// reshape(heads, 2, d/2, cols).swapaxes(1, 2) does it.
inline std::vector<float> permuted_rows(std::span<const float> values, std::int64_t rows,
                                        std::int64_t heads) {
    const std::int64_t cols = static_cast<std::int64_t>(values.size()) / rows, half = rows / heads / 2;
    std::vector<float> out;
    for (std::int64_t h = 0; h < heads; ++h) {
        for (std::int64_t i = 0; i < half; ++i) {
            for (std::int64_t s = 0; s < 2; ++s) {
                const auto row =
                    values.subspan(static_cast<std::size_t>((h * 2 * half + s * half + i) * cols),
                                   static_cast<std::size_t>(cols));
                out.insert(out.end(), row.begin(), row.end());
            }
        }
    }
    return out;
}

// llama3 scaling as divisors of the frequencies, in f32 as LlamaModel.generate_extra_tensors.
inline std::vector<float> llama3_divisors(const RopeConfig& rope) {
    const auto original = static_cast<float>(rope.original_max_positions),
               low = static_cast<float>(rope.low_freq_factor),
               high = static_cast<float>(rope.high_freq_factor), factor = static_cast<float>(rope.factor);
    std::vector<float> divisors;
    for (std::int64_t i = 0; i < rope.dimensions; i += 2) {
        const float f = 1.0f / std::pow(static_cast<float>(rope.theta),
                                        static_cast<float>(i) / static_cast<float>(rope.dimensions));
        const float wavelength = 2 * std::numbers::pi_v<float> / f;
        const float smooth = (original / wavelength - low) / (high - low);
        divisors.push_back(wavelength < original / high  ? 1
                           : wavelength > original / low ? factor
                                                         : 1 / ((1 - smooth) / factor + smooth));
    }
    return divisors;
}

// Keys of all families, then of experts, rope scaling, and the family.
class GgufKeys {
  public:
    GgufKeys(GgufHeader& header, const std::string& arch) : header_(header), prefix_(arch + ".") {}

    void set(const ModelConfig& c) {
        header_.set_string("general.architecture", prefix_.substr(0, prefix_.size() - 1));
        u32("block_count", c.layers);
        u32("context_length", c.max_positions);
        u32("embedding_length", c.hidden);
        u32("feed_forward_length", c.intermediate);
        u32("attention.head_count", c.heads);
        u32("attention.head_count_kv", c.kv_heads);
        f32("attention.layer_norm_rms_epsilon", c.rms_eps);
        const std::string& name = c.architecture;
        if (name != "Phi3ForCausalLM") {
            u32("attention.key_length", c.head_dim);
            u32("attention.value_length", c.head_dim);
        }
        if (name != "Gemma2ForCausalLM") f32("rope.freq_base", c.rope.theta);
        if (c.experts.count > 0) set_experts(c);
        set_rope(c.rope);
        if (prefix_ == "llama.") {
            u32("vocab_size", c.vocabulary);
            u32("rope.dimension_count", c.rope.dimensions);
        } else if (name == "Phi3ForCausalLM") {
            u32("rope.dimension_count", c.rope.dimensions);
            u32("attention.sliding_window", c.layer[0].window);
            if (c.rope.scaling != RopeConfig::Scaling::kLongrope)
                u32("rope.scaling.original_context_length", c.max_positions);
        } else if (name.starts_with("Gemma")) {
            u32("attention.sliding_window", c.layer[0].window);
            if (c.attention_softcap > 0) f32("attn_logit_softcapping", c.attention_softcap);
            if (c.final_softcap > 0) f32("final_logit_softcapping", c.final_softcap);
        }
    }

  private:
    void u32(const std::string& key, std::int64_t value) {
        header_.set_u32(prefix_ + key, static_cast<std::uint32_t>(value));
    }
    void f32(const std::string& key, double value) {
        header_.set_f32(prefix_ + key, static_cast<float>(value));
    }

    void set_experts(const ModelConfig& c) {
        u32("expert_count", c.experts.count);
        u32("expert_used_count", c.experts.per_token);
        if (prefix_ == "llama.") return;
        u32("expert_feed_forward_length", c.experts.intermediate);
        if (c.experts.shared_intermediate > 0)
            u32("expert_shared_feed_forward_length", c.experts.shared_intermediate);
    }

    void set_rope(const RopeConfig& rope) {
        using Scaling = RopeConfig::Scaling;
        if (rope.scaling == Scaling::kLinear || rope.scaling == Scaling::kYarn) {
            header_.set_string(prefix_ + "rope.scaling.type",
                               rope.scaling == Scaling::kYarn ? "yarn" : "linear");
            f32("rope.scaling.factor", rope.factor);
        }
        if (rope.scaling == Scaling::kYarn || rope.scaling == Scaling::kLongrope)
            u32("rope.scaling.original_context_length",
                static_cast<std::int64_t>(rope.original_max_positions));
        if (rope.scaling == Scaling::kYarn) {
            f32("rope.scaling.yarn_beta_fast", rope.beta_fast);
            f32("rope.scaling.yarn_beta_slow", rope.beta_slow);
        }
        if (rope.scaling == Scaling::kLongrope) f32("rope.scaling.attn_factor", rope.attention_factor);
    }

    GgufHeader& header_;
    std::string prefix_;
};

// A tensor on its way into the file.
struct GgufTestTensor {
    std::string name;
    Shape shape;
    std::vector<float> values;
};

// One tensor, or those of all experts where the name is the first one's; none for other experts.
inline std::vector<GgufTestTensor> gguf_tensors(const ModelConfig& config, const WeightSource& weights,
                                                const std::string& name) {
    const GgufFamily& family = gguf_family(config.architecture);
    const auto read = [&](const std::string& tensor) {
        const Shape shape = weights.shape(tensor);
        std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
        const std::int64_t cols = shape.back(), rows = element_count(shape) / cols;
        weights.read(tensor, 0, MatrixView<float>(values.data(), rows, cols));
        return values;
    };
    const std::string kExperts = ".experts.";
    if (const auto at = name.find(kExperts); at != std::string::npos) {
        const auto number = at + kExperts.size(), dot = name.find('.', number);
        if (name.substr(number, dot - number) != "0") return {};
        const std::string before = name.substr(0, number), after = name.substr(dot);
        const Shape one = weights.shape(name);
        GgufTestTensor all{
            gguf_name(family, before + "*" + after), {config.experts.count, one[0], one[1]}, {}};
        for (std::int64_t e = 0; e < config.experts.count; ++e) {
            const auto own = read(before + std::to_string(e) + after);
            all.values.insert(all.values.end(), own.begin(), own.end());
        }
        return {all};
    }
    GgufTestTensor tensor{gguf_name(family, name), weights.shape(name), read(name)};
    const bool q = name.find(".q_proj.") != std::string::npos, k = name.find(".k_proj.") != std::string::npos;
    if (family.permutes && (q || k))
        tensor.values = permuted_rows(tensor.values, tensor.shape[0], q ? config.heads : config.kv_heads);
    if (family.shifts_norms && name.ends_with("norm.weight")) {
        for (float& v : tensor.values) v += 1;
    }
    if (name.ends_with(".shared_expert_gate.weight")) tensor.shape = {tensor.shape[1]};  // squeezed
    return {tensor};
}

// Writes the model in f32. `add_keys` adds metadata.
inline void write_gguf(const std::filesystem::path& path, const ModelConfig& config,
                       const WeightSource& weights, const std::function<void(GgufHeader&)>& add_keys = {}) {
    GgufHeader header;
    GgufKeys(header, gguf_family(config.architecture).arch).set(config);
    if (add_keys) add_keys(header);
    std::vector<GgufTestTensor> tensors;
    for (const StoredTensor& stored : weights.tensors()) {
        for (GgufTestTensor& tensor : gguf_tensors(config, weights, stored.name))
            tensors.push_back(std::move(tensor));
    }
    const auto add_vector = [&](const char* name, const std::vector<float>& values) {
        tensors.push_back({name, {static_cast<std::int64_t>(values.size())}, values});
    };
    if (config.rope.scaling == RopeConfig::Scaling::kLlama3)
        add_vector("rope_freqs.weight", llama3_divisors(config.rope));
    if (config.rope.scaling == RopeConfig::Scaling::kLongrope) {
        add_vector("rope_factors_long.weight", config.rope.long_divisors);
        add_vector("rope_factors_short.weight", config.rope.divisors);
    }
    for (const GgufTestTensor& tensor : tensors) header.add_tensor(tensor.name, GgmlType::kF32, tensor.shape);
    GgufWriter writer(path, header);
    for (const GgufTestTensor& tensor : tensors)
        writer.write(tensor.name, std::as_bytes(std::span(tensor.values)));
    writer.commit();
}

}  // namespace assay
