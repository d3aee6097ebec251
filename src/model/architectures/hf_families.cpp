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

// Of q, k, v and o.
void set_attention_bias(const Json& config, std::string_view what, ModelConfig& out) {
    out.qkv_bias = out.output_bias = optional_bool(config, "attention_bias", what).value_or(false);
}

// sliding_window, 0 where absent or null.
std::int64_t window_of(const Json& config, std::string_view what) {
    return optional_int(config, "sliding_window", what, {1, std::int64_t{1} << 31}).value_or(0);
}

// The window where sliding_window is given, none where it is null, the default where it is absent.
std::int64_t window_or(const Json& config, std::string_view what, std::int64_t absent) {
    return config.contains("sliding_window") ? window_of(config, what) : absent;
}

// Qwen: only with use_sliding_window.
std::int64_t qwen_window(const Json& config, std::string_view what) {
    return optional_bool(config, "use_sliding_window", what).value_or(false) ? window_or(config, what, 4096)
                                                                             : 0;
}

std::int64_t max_window_layers(const Json& config, std::string_view what) {
    return optional_int(config, "max_window_layers", what, {0, std::int64_t{1} << 31}).value_or(28);
}

// Qwen 2 and 3: from max_window_layers on.
void set_qwen_windows(const Json& config, std::string_view what, ModelConfig& out) {
    const std::int64_t window = qwen_window(config, what), first = max_window_layers(config, what);
    const auto slides = [=](std::int64_t layer) { return window > 0 && layer >= first; };
    set_hf_windows(config, what, window, slides, out);
}

void check_experts(const ExpertsConfig& experts, std::string_view what) {
    if (experts.count > (1 << 16))
        throw FormatError(fmt::format("{}: {} experts are more than any model has", what, experts.count));
    if (experts.per_token > experts.count) {
        throw FormatError(fmt::format("{}: {} experts per token, but only {} experts", what,
                                      experts.per_token, experts.count));
    }
}

// num_experts, which some classes know as num_local_experts, too.
std::int64_t experts_count(const Json& config, std::string_view what, std::int64_t absent) {
    const std::int64_t local = hf_size(config, "num_local_experts", what, absent),
                       count = hf_size(config, "num_experts", what, local);
    if (optional_member(config, "num_local_experts", what) != nullptr && count != local) {
        throw FormatError(
            fmt::format("{}: num_experts is {}, but num_local_experts is {}", what, count, local));
    }
    return count;
}

// Qwen's sparse layers: every decoder_sparse_step-th that mlp_only_layers does not name.
void set_qwen_experts(const Json& config, std::string_view what, const ExpertsConfig& defaults,
                      ModelConfig& out) {
    ExpertsConfig& experts = out.experts;
    experts.count = defaults.count;
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

// One set of rope parameters per layer type; old configs have a scaling for full attention and a second base.
void set_gemma3_rope(const Json& config, std::string_view what, const HfDefaults& defaults,
                     ModelConfig& out) {
    Json full = Json::object(), local = Json::object();
    const std::string where = json_path(what, "rope_parameters");
    if (const Json* by_type = optional_object(config, "rope_parameters", what)) {
        for (const auto& item : by_type->items()) {
            if (item.key() == "full_attention" || item.key() == "sliding_attention") continue;
            throw Unsupported(fmt::format(
                "{} has {}; expected full_attention and sliding_attention, each with its own parameters",
                where, item.key()));
        }
        if (const Json* own = optional_object(*by_type, "full_attention", where)) full = *own;
        if (const Json* own = optional_object(*by_type, "sliding_attention", where)) local = *own;
    }
    if (const Json* scaling = optional_object(config, "rope_scaling", what)) full.update(*scaling);
    const double theta = optional_number(config, "rope_theta", what).value_or(1e6),
                 local_theta = optional_number(config, "rope_local_base_freq", what).value_or(10000);
    out.rope = parse_hf_rope(config, what, &full, json_path(where, "full_attention"), theta, defaults, out);
    out.local_rope = parse_hf_rope(config, what, &local, json_path(where, "sliding_attention"), local_theta,
                                   defaults, out);
    for (LayerConfig& layer : out.layer) layer.local_rope = layer.window > 0;
}

constexpr HfDefaults kGemmaDefaults{.kv_heads = 4,
                                    .head_dim = 256,
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
    ModelConfig out = base(config, what, {.max_positions = 131072, .kv_heads = 8},
                           {"hidden_act", "sliding_window", "layer_types"});
    set_hf_window_everywhere(config, what, window_or(config, what, 4096), out);
    return out;
}

ModelConfig parse_mixtral_hf(const Json& config, std::string_view what) {
    ModelConfig out =
        base(config, what, {.theta = 1e6, .rms_eps = 1e-5, .max_positions = 131072, .kv_heads = 8},
             {"hidden_act", "sliding_window", "layer_types", "num_experts", "num_local_experts"});
    set_hf_window_everywhere(config, what, window_or(config, what, 0), out);
    out.experts = {experts_count(config, what, 8), hf_size(config, "num_experts_per_tok", what, 2),
                   out.intermediate, 0, true};
    check_experts(out.experts, what);
    for (LayerConfig& layer : out.layer) layer.experts = true;
    return out;
}

ModelConfig parse_qwen2_hf(const Json& config, std::string_view what) {
    ModelConfig out = base(config, what, {.max_positions = 32768, .kv_heads = 32},
                           {"hidden_act", "sliding_window", "use_sliding_window", "layer_types"});
    out.qkv_bias = true;
    set_qwen_windows(config, what, out);
    return out;
}

ModelConfig parse_qwen3_hf(const Json& config, std::string_view what) {
    ModelConfig out =
        base(config, what, {.max_positions = 32768, .kv_heads = 32, .head_dim = 128},
             {"hidden_act", "attention_bias", "sliding_window", "use_sliding_window", "layer_types"});
    set_attention_bias(config, what, out);
    out.qk_norm = QkNorm::kHead;
    set_qwen_windows(config, what, out);
    return out;
}

ModelConfig parse_qwen2_moe_hf(const Json& config, std::string_view what) {
    ModelConfig out =
        base(config, what, {.max_positions = 32768, .kv_heads = 16},
             {"hidden_act", "qkv_bias", "sliding_window", "use_sliding_window", "layer_types", "num_experts",
              "shared_expert_intermediate_size", "mlp_only_layers", "decoder_sparse_step", "norm_topk_prob"});
    out.qkv_bias = optional_bool(config, "qkv_bias", what).value_or(true);
    // Here every other layer slides, up to max_window_layers.
    const std::int64_t window = qwen_window(config, what), last = max_window_layers(config, what);
    const auto slides = [=](std::int64_t i) { return window > 0 && i % 2 == 0 && i < last; };
    set_hf_windows(config, what, window, slides, out);
    set_qwen_experts(config, what, {hf_size(config, "num_experts", what, 60), 4, 1408}, out);
    out.experts.shared_intermediate = hf_size(config, "shared_expert_intermediate_size", what, 5632);
    return out;
}

ModelConfig parse_qwen3_moe_hf(const Json& config, std::string_view what) {
    ModelConfig out = base(
        config, what, {.max_positions = 32768, .kv_heads = 4},
        {"hidden_act", "attention_bias", "sliding_window", "use_sliding_window", "layer_types", "num_experts",
         "num_local_experts", "mlp_only_layers", "decoder_sparse_step", "norm_topk_prob"});
    set_attention_bias(config, what, out);
    out.qk_norm = QkNorm::kHead;
    set_hf_window_everywhere(config, what, qwen_window(config, what), out);
    set_qwen_experts(config, what, {experts_count(config, what, 128), 8, 768}, out);
    return out;
}

ModelConfig parse_phi3_hf(const Json& config, std::string_view what) {
    ModelConfig out = base(config, what, {.rms_eps = 1e-5, .max_positions = 4096, .phi_rope = true},
                           {"hidden_act", "sliding_window", "layer_types"});
    set_hf_window_everywhere(config, what, window_or(config, what, 0), out);
    return out;
}

ModelConfig parse_gemma2_hf(const Json& config, std::string_view what) {
    HfDefaults defaults = kGemmaDefaults;
    defaults.max_positions = 8192;
    ModelConfig out = base(config, what, defaults,
                           {"hidden_act", "hidden_activation", "attention_bias", "sliding_window",
                            "layer_types", "query_pre_attn_scalar", "use_bidirectional_attention",
                            "attn_logit_softcapping", "final_logit_softcapping"});
    set_attention_bias(config, what, out);
    set_gemma_scales(config, what, out);
    out.attention_softcap = cap(config, "attn_logit_softcapping", what, 50);
    out.final_softcap = cap(config, "final_logit_softcapping", what, 30);
    const auto even = [](std::int64_t layer) { return layer % 2 == 0; };
    set_hf_windows(config, what, window_or(config, what, 4096), even, out);
    return out;
}

ModelConfig parse_gemma3_hf(const Json& config, std::string_view what) {
    HfDefaults defaults = kGemmaDefaults;
    defaults.max_positions = 131072;
    defaults.vocabulary = 262208;
    defaults.heads = 8;
    defaults.typed_rope = true;
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
    const std::int64_t pattern = hf_size(config, "sliding_window_pattern", what, 6);
    const auto slides = [=](std::int64_t layer) { return (layer + 1) % pattern != 0; };
    set_hf_windows(config, what, window_or(config, what, 4096), slides, out);
    set_gemma3_rope(config, what, defaults, out);
    return out;
}

ModelConfig parse_olmo2_hf(const Json& config, std::string_view what) {
    ModelConfig out = base(config, what, {.rms_eps = 1e-5}, {"hidden_act", "attention_bias"});
    set_attention_bias(config, what, out);
    out.qk_norm = QkNorm::kProjection;
    return out;
}

}  // namespace assay
