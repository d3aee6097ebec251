#include "model/architectures/hf_families.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "model/architectures/hf_config.h"

namespace assay {
namespace {

using Keys = std::initializer_list<std::string_view>;

ModelConfig base(const Json& config, std::string_view what, const HfDefaults& defaults, Keys handled) {
    return parse_hf_base(config, what, defaults, std::span(handled.begin(), handled.size()));
}

bool all_layers(std::int64_t) {
    return true;
}
bool no_layer(std::int64_t) {
    return false;
}
bool even_layers(std::int64_t layer) {
    return layer % 2 == 0;
}

// Of q, k, v and o.
void set_attention_bias(const Json& config, std::string_view what, ModelConfig& out) {
    out.qkv_bias = out.output_bias = optional_bool(config, "attention_bias", what).value_or(false);
}

// sliding_window, 0 where absent or null.
std::int64_t window_of(const Json& config, std::string_view what) {
    return optional_int(config, "sliding_window", what, {1, std::int64_t{1} << 31}).value_or(0);
}

// Windows in all layers where sliding_window is given; the default holds where the key is absent, null means
// none.
void set_windows_everywhere(const Json& config, std::string_view what, std::int64_t absent,
                            ModelConfig& out) {
    const std::int64_t window = config.contains("sliding_window") ? window_of(config, what) : absent;
    set_hf_windows(config, what, window, window > 0 ? all_layers : no_layer, out);
}

// Qwen: only with use_sliding_window, and from max_window_layers on.
void set_qwen_windows(const Json& config, std::string_view what, ModelConfig& out) {
    if (!optional_bool(config, "use_sliding_window", what).value_or(false)) return;
    const std::int64_t window = config.contains("sliding_window") ? window_of(config, what) : 4096;
    set_hf_windows(config, what, window, window > 0 ? all_layers : no_layer, out);
    if (config.contains("layer_types")) return;
    const std::int64_t first =
        optional_int(config, "max_window_layers", what, {0, std::int64_t{1} << 31}).value_or(28);
    for (std::size_t i = 0; i < out.layer.size() && static_cast<std::int64_t>(i) < first; ++i)
        out.layer[i].window = 0;
}

void check_experts(const ExpertsConfig& experts, std::string_view what) {
    if (experts.count > (1 << 16))
        throw FormatError(fmt::format("{}: {} experts are more than any model has", what, experts.count));
    if (experts.per_token > experts.count) {
        throw FormatError(fmt::format("{}: {} experts per token, but only {} experts", what,
                                      experts.per_token, experts.count));
    }
}

// Qwen's sparse layers: every decoder_sparse_step-th that mlp_only_layers does not name.
void set_qwen_experts(const Json& config, std::string_view what, const ExpertsConfig& defaults,
                      ModelConfig& out) {
    ExpertsConfig& experts = out.experts;
    const char* count = config.contains("num_experts") ? "num_experts" : "num_local_experts";
    experts.count = hf_size(config, count, what, defaults.count);
    experts.per_token = hf_size(config, "num_experts_per_tok", what, defaults.per_token);
    experts.intermediate = hf_size(config, "moe_intermediate_size", what, defaults.intermediate);
    experts.renormalise = optional_bool(config, "norm_topk_prob", what).value_or(false);
    check_experts(experts, what);
    const std::int64_t step = hf_size(config, "decoder_sparse_step", what, 1);
    for (std::size_t i = 0; i < out.layer.size(); ++i)
        out.layer[i].experts = (static_cast<std::int64_t>(i) + 1) % step == 0;
    const Json* dense = optional_array(config, "mlp_only_layers", what);
    if (dense == nullptr) return;
    for (const Json& value : *dense) {
        const std::int64_t layer = as_int(value, json_path(what, "mlp_only_layers"), {0, out.layers - 1});
        out.layer[static_cast<std::size_t>(layer)].experts = false;
    }
}

// Gemma: embeddings times √hidden (in f32, as transformers runs it in f32), norms of 1 + w.
void set_gemma_scales(const Json& config, std::string_view what, ModelConfig& out) {
    out.embedding_scale = std::sqrt(static_cast<double>(out.hidden));
    out.norm_offset = 1;
    const double scalar = optional_number(config, "query_pre_attn_scalar", what).value_or(256);
    if (!(scalar > 0)) throw FormatError(fmt::format("{}: query_pre_attn_scalar is {}", what, scalar));
    out.attention_scale = 1 / std::sqrt(scalar);
    if (const Json* both = optional_member(config, "use_bidirectional_attention", what);
        both != nullptr && *both != false) {
        throw Unsupported(fmt::format("{}: use_bidirectional_attention is not supported", what));
    }
}

double cap(const Json& config, std::string_view key, std::string_view what, double absent) {
    // null means none, as in transformers; absent means the family's default
    const double value = config.contains(key) ? optional_number(config, key, what).value_or(0) : absent;
    if (!(value >= 0) || !std::isfinite(value))
        throw FormatError(fmt::format("{}: {} is {}, expected a positive number", what, key, value));
    return value;
}

constexpr HfDefaults kGemmaDefaults{.head_dim = 256,
                                    .tied_head = true,
                                    .activation_key = "hidden_activation",
                                    .activation = "gelu_pytorch_tanh"};

}  // namespace

ModelConfig parse_llama_hf(const Json& config, std::string_view what) {
    ModelConfig out = base(config, what, {}, {"hidden_act", "attention_bias", "mlp_bias"});
    set_attention_bias(config, what, out);
    out.mlp_bias = optional_bool(config, "mlp_bias", what).value_or(false);
    return out;
}

ModelConfig parse_mistral_hf(const Json& config, std::string_view what) {
    ModelConfig out = base(config, what, {}, {"hidden_act", "sliding_window", "layer_types"});
    out.kv_heads = hf_size(config, "num_key_value_heads", what, 8);
    set_windows_everywhere(config, what, 4096, out);
    return out;
}

ModelConfig parse_mixtral_hf(const Json& config, std::string_view what) {
    ModelConfig out = base(config, what, {.theta = 1e6, .rms_eps = 1e-5},
                           {"hidden_act", "sliding_window", "num_local_experts"});
    out.kv_heads = hf_size(config, "num_key_value_heads", what, 8);
    set_windows_everywhere(config, what, 0, out);
    out.experts = {hf_size(config, "num_local_experts", what, 8),
                   hf_size(config, "num_experts_per_tok", what, 2), out.intermediate, 0, true};
    check_experts(out.experts, what);
    for (LayerConfig& layer : out.layer) layer.experts = true;
    return out;
}

ModelConfig parse_qwen2_hf(const Json& config, std::string_view what) {
    ModelConfig out =
        base(config, what, {}, {"hidden_act", "sliding_window", "use_sliding_window", "layer_types"});
    out.qkv_bias = true;
    set_qwen_windows(config, what, out);
    return out;
}

ModelConfig parse_qwen3_hf(const Json& config, std::string_view what) {
    ModelConfig out =
        base(config, what, {.head_dim = 128},
             {"hidden_act", "attention_bias", "sliding_window", "use_sliding_window", "layer_types"});
    set_attention_bias(config, what, out);
    out.qk_norm = QkNorm::kHead;
    set_qwen_windows(config, what, out);
    return out;
}

ModelConfig parse_qwen2_moe_hf(const Json& config, std::string_view what) {
    ModelConfig out = base(config, what, {},
                           {"hidden_act", "qkv_bias", "sliding_window", "use_sliding_window", "layer_types",
                            "num_experts", "num_local_experts", "shared_expert_intermediate_size",
                            "mlp_only_layers", "decoder_sparse_step", "norm_topk_prob"});
    out.qkv_bias = optional_bool(config, "qkv_bias", what).value_or(true);
    set_qwen_windows(config, what, out);
    set_qwen_experts(config, what, {60, 4, 1408}, out);
    out.experts.shared_intermediate = hf_size(config, "shared_expert_intermediate_size", what, 5632);
    return out;
}

ModelConfig parse_qwen3_moe_hf(const Json& config, std::string_view what) {
    ModelConfig out = base(
        config, what, {},
        {"hidden_act", "attention_bias", "sliding_window", "use_sliding_window", "layer_types", "num_experts",
         "num_local_experts", "mlp_only_layers", "decoder_sparse_step", "norm_topk_prob"});
    set_attention_bias(config, what, out);
    out.qk_norm = QkNorm::kHead;
    set_qwen_windows(config, what, out);
    set_qwen_experts(config, what, {128, 8, 768}, out);
    return out;
}

ModelConfig parse_phi3_hf(const Json& config, std::string_view what) {
    ModelConfig out = base(config, what, {.rms_eps = 1e-5}, {"hidden_act", "sliding_window", "layer_types"});
    set_windows_everywhere(config, what, 0, out);
    return out;
}

ModelConfig parse_gemma2_hf(const Json& config, std::string_view what) {
    ModelConfig out = base(config, what, kGemmaDefaults,
                           {"hidden_act", "hidden_activation", "attention_bias", "sliding_window",
                            "layer_types", "query_pre_attn_scalar", "use_bidirectional_attention",
                            "attn_logit_softcapping", "final_logit_softcapping"});
    set_attention_bias(config, what, out);
    set_gemma_scales(config, what, out);
    out.attention_softcap = cap(config, "attn_logit_softcapping", what, 50);
    out.final_softcap = cap(config, "final_logit_softcapping", what, 30);
    const std::int64_t window = config.contains("sliding_window") ? window_of(config, what) : 4096;
    set_hf_windows(config, what, window, window > 0 ? even_layers : no_layer, out);
    return out;
}

ModelConfig parse_gemma3_hf(const Json& config, std::string_view what) {
    HfDefaults defaults = kGemmaDefaults;
    defaults.theta = 1e6;
    ModelConfig out =
        base(config, what, defaults,
             {"hidden_act", "hidden_activation", "attention_bias", "sliding_window", "sliding_window_pattern",
              "layer_types", "query_pre_attn_scalar", "use_bidirectional_attention", "attn_logit_softcapping",
              "final_logit_softcapping", "rope_local_base_freq"});
    set_attention_bias(config, what, out);
    set_gemma_scales(config, what, out);
    out.qk_norm = QkNorm::kHead;
    out.attention_softcap = cap(config, "attn_logit_softcapping", what, 0);
    out.final_softcap = cap(config, "final_logit_softcapping", what, 0);
    const std::int64_t window = config.contains("sliding_window") ? window_of(config, what) : 4096;
    set_hf_windows(config, what, window, window > 0 ? all_layers : no_layer, out);
    const std::int64_t pattern = hf_size(config, "sliding_window_pattern", what, 6);
    for (std::size_t i = 0; i < out.layer.size() && !config.contains("layer_types"); ++i) {
        if ((static_cast<std::int64_t>(i) + 1) % pattern == 0) out.layer[i].window = 0;
    }
    // Nested configs have one rope per layer type, flat ones a second base.
    const Json* nested = optional_object(config, "rope_parameters", what);
    if (nested != nullptr && nested->contains("sliding_attention")) {
        out.local_rope =
            parse_hf_rope(config, what, "sliding_attention", 10000, out.head_dim, out.max_positions);
    } else {
        out.local_rope = {.theta = optional_number(config, "rope_local_base_freq", what).value_or(10000),
                          .dimensions = out.head_dim};
    }
    for (LayerConfig& layer : out.layer) layer.local_rope = layer.window > 0;
    return out;
}

ModelConfig parse_olmo2_hf(const Json& config, std::string_view what) {
    ModelConfig out = base(config, what, {.rms_eps = 1e-5}, {"hidden_act", "attention_bias"});
    set_attention_bias(config, what, out);
    out.qk_norm = QkNorm::kProjection;
    return out;
}

}  // namespace assay
