#include "model/architectures/hf_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"

namespace assay {
namespace {

constexpr std::array<std::string_view, 3> kBaseKeys{"rope_scaling", "rope_parameters",
                                                    "partial_rotary_factor"};

bool off(const Json& v) {
    return (v.is_boolean() && !v.get<bool>()) || (v.is_number() && v.get<double>() == 0) ||
           (v.is_array() && v.empty());
}
bool one(const Json& v) {
    return v.is_number() && v.get<double>() == 1;
}
bool never(const Json&) {
    return false;
}
bool all_full(const Json& v) {
    return v.is_array() &&
           std::all_of(v.begin(), v.end(), [](const Json& t) { return t == "full_attention"; });
}
bool rotary(const Json& v) {
    return v == "rope";
}
bool on(const Json& v) {
    return v == true;
}
bool softmax(const Json& v) {
    return v == "softmax";
}
bool all_dense(const Json& v) {
    return v.is_array() && std::all_of(v.begin(), v.end(), [](const Json& t) { return t == "dense"; });
}
bool one_or_off(const Json& v) {
    return one(v) || off(v);
}

constexpr auto kFunctionKeys = std::to_array<FunctionKey>({
    {"hidden_act", never},
    {"hidden_activation", never},
    {"rope_scaling", never},
    {"rope_parameters", never},
    {"partial_rotary_factor", one},
    {"rotary_pct", one},
    {"rope_local_base_freq", never},
    {"rotary_dim", never},
    {"rope_ratio", one},
    {"rope_interleave", off},
    {"position_embedding_type", rotary},
    {"alibi", off},
    {"layer_types", all_full},
    {"sliding_window", off},
    {"use_sliding_window", off},
    {"sliding_window_pattern", never},
    {"attention_chunk_size", off},
    {"no_rope_layers", off},
    {"no_rope_layer_interval", off},
    {"attn_logit_softcapping", off},
    {"final_logit_softcapping", off},
    {"query_pre_attn_scalar", never},
    {"attn_temperature_tuning", off},
    {"is_causal", on},
    {"use_bidirectional_attention", off},
    {"add_cross_attention", off},
    {"attention_bias", off},
    {"mlp_bias", off},
    {"qkv_bias", off},
    {"use_qkv_bias", off},
    {"use_bias", off},
    {"clip_qkv", off},
    {"qk_norm", off},
    {"use_qk_norm", off},
    {"qk_layernorm", off},
    {"parallel_attn", off},
    {"use_parallel_residual", off},
    {"embedding_multiplier", one},
    {"residual_multiplier", one},
    {"attention_multiplier", never},
    {"logits_scaling", one},
    {"logit_scale", one},
    {"scale_emb", one},
    {"scale_depth", never},
    {"num_local_experts", off},
    {"num_experts", off},
    {"n_routed_experts", off},
    {"shared_expert_intermediate_size", off},
    {"n_shared_experts", off},
    {"mlp_only_layers", off},
    {"decoder_sparse_step", one},
    {"norm_topk_prob", off},
    {"routed_scaling_factor", one},
    {"scoring_func", softmax},
    {"n_group", one_or_off},
    {"topk_group", one_or_off},
    {"first_k_dense_replace", off},
    {"moe_layer_freq", one},
    {"mlp_layer_types", all_dense},
    {"num_kv_shared_layers", off},
    {"hidden_size_per_layer_input", off},
});

void refuse_unhandled(const Json& config, std::string_view what, std::span<const std::string_view> handled) {
    for (const FunctionKey& row : kFunctionKeys) {
        const auto is = [&](std::string_view key) { return key == row.key; };
        if (std::any_of(kBaseKeys.begin(), kBaseKeys.end(), is) ||
            std::any_of(handled.begin(), handled.end(), is)) {
            continue;
        }
        const Json* value = optional_member(config, row.key, what);
        if (value == nullptr || row.neutral(*value)) continue;
        throw Unsupported(
            fmt::format("{}: {} = {} changes what the model computes, and is not supported for this "
                        "architecture",
                        what, row.key, value->dump(-1, ' ', false, Json::error_handler_t::replace)));
    }
}

compute::Activation parse_activation(const Json& config, std::string_view what, const HfDefaults& defaults) {
    const std::string name =
        optional_string(config, defaults.activation_key, what).value_or(std::string(defaults.activation));
    if (name == "silu" || name == "swish") return compute::Activation::kSilu;
    if (name == "gelu_pytorch_tanh") return compute::Activation::kGeluTanh;
    throw Unsupported(fmt::format("{}: {} '{}' is not supported; silu and gelu_pytorch_tanh are", what,
                                  defaults.activation_key, name));
}

std::int64_t parse_kv_heads(const Json& config, std::string_view what, const HfDefaults& defaults,
                            std::int64_t heads) {
    constexpr const char* kKey = "num_key_value_heads";
    const bool absent = !config.contains(kKey) && defaults.kv_heads > 0;
    return absent ? defaults.kv_heads : hf_size(config, kKey, what, heads);
}

std::int64_t size_or_default(const Json& config, std::string_view key, std::string_view what,
                             std::int64_t absent) {
    return absent > 0 ? hf_size(config, key, what, absent) : hf_size(config, key, what);
}

// One entry a layer, or null where the config has none.
const Json* layer_types(const Json& config, std::string_view what, const ModelConfig& out) {
    const Json* types = optional_array(config, "layer_types", what);
    if (types != nullptr && static_cast<std::int64_t>(types->size()) != out.layers) {
        throw FormatError(
            fmt::format("{}: layer_types has {} entries for {} layers", what, types->size(), out.layers));
    }
    return types;
}

// One layer's entry of layer_types.
bool slides_by_type(const Json& type, std::string_view what) {
    const std::string name = as_string(type, json_path(what, "layer_types"));
    if (name == "full_attention" || name == "sliding_attention") return name == "sliding_attention";
    throw Unsupported(fmt::format(
        "{}: layer type '{}' of layer_types is not supported; full_attention and sliding_attention are", what,
        name));
}

constexpr IntRange kSize{1, std::int64_t{1} << 31};

}  // namespace

std::span<const FunctionKey> function_keys() {
    return kFunctionKeys;
}

std::int64_t hf_size(const Json& config, std::string_view key, std::string_view what) {
    return require_int(config, key, what, kSize);
}

std::int64_t hf_size(const Json& config, std::string_view key, std::string_view what, std::int64_t absent) {
    return optional_int(config, key, what, kSize).value_or(absent);
}

void set_hf_windows(const Json& config, std::string_view what, std::int64_t window,
                    const std::function<bool(std::int64_t)>& slides, ModelConfig& out) {
    const Json* types = layer_types(config, what, out);
    for (std::size_t i = 0; i < out.layer.size(); ++i) {
        const bool sliding =
            types != nullptr ? slides_by_type((*types)[i], what) : slides(static_cast<std::int64_t>(i));
        if (sliding && window <= 0) {
            throw FormatError(fmt::format(
                "{}: layer {} slides by layer_types or the family's pattern, but there is no sliding_window",
                what, i));
        }
        out.layer[i].window = sliding ? window : 0;
    }
}

void set_hf_window_everywhere(const Json& config, std::string_view what, std::int64_t window,
                              ModelConfig& out) {
    for (LayerConfig& layer : out.layer) layer.window = window;
    const Json* types = layer_types(config, what, out);
    if (types == nullptr) return;
    for (const Json& type : *types) {
        if (slides_by_type(type, what) == (window > 0)) continue;
        throw Unsupported(fmt::format(
            "{}: layer_types says {}, sliding_window = {} says otherwise of all layers, and transformers "
            "follows sliding_window only for this architecture; remove the one that is wrong",
            what, type.dump(), window));
    }
}

ModelConfig parse_hf_base(const Json& config, std::string_view what, const HfDefaults& defaults,
                          std::span<const std::string_view> handled) {
    refuse_unhandled(config, what, handled);
    ModelConfig out;
    out.hidden = hf_size(config, "hidden_size", what);
    out.intermediate = hf_size(config, "intermediate_size", what);
    out.layers = require_int(config, "num_hidden_layers", what, {1, 100000});
    out.heads = size_or_default(config, "num_attention_heads", what, defaults.heads);
    out.kv_heads = parse_kv_heads(config, what, defaults, out.heads);
    const std::int64_t head_dim = defaults.head_dim > 0 ? defaults.head_dim : out.hidden / out.heads;
    out.head_dim = hf_size(config, "head_dim", what, std::max<std::int64_t>(head_dim, 1));
    out.vocabulary = size_or_default(config, "vocab_size", what, defaults.vocabulary);
    out.max_positions = hf_size(config, "max_position_embeddings", what, defaults.max_positions);
    out.rms_eps = optional_number(config, "rms_norm_eps", what).value_or(defaults.rms_eps);
    out.tied_head = optional_bool(config, "tie_word_embeddings", what).value_or(defaults.tied_head);
    out.activation = parse_activation(config, what, defaults);
    out.attention_scale = 1 / std::sqrt(static_cast<double>(out.head_dim));
    out.layer.resize(static_cast<std::size_t>(out.layers));
    if (defaults.typed_rope) return out;
    std::string where;
    const Json* parameters = hf_rope_parameters(config, what, where);
    const double theta = optional_number(config, "rope_theta", what).value_or(defaults.theta);
    out.rope = parse_hf_rope(config, what, parameters, where, theta, defaults, out);
    return out;
}

}  // namespace assay
