#include "model/architectures/hf_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"

namespace assay {
namespace {

using Scaling = RopeConfig::Scaling;

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

constexpr auto kFunctionKeys = std::to_array<FunctionKey>({
    {"hidden_act", never},
    {"hidden_activation", never},
    {"rope_scaling", never},
    {"rope_parameters", never},
    {"partial_rotary_factor", one},
    {"rotary_pct", one},
    {"rope_local_base_freq", never},
    {"rope_interleave", off},
    {"position_embedding_type", rotary},
    {"alibi", off},
    {"layer_types", all_full},
    {"sliding_window", off},
    {"use_sliding_window", off},
    {"sliding_window_pattern", never},
    {"attention_chunk_size", off},
    {"no_rope_layers", off},
    {"attn_logit_softcapping", off},
    {"final_logit_softcapping", off},
    {"query_pre_attn_scalar", never},
    {"attn_temperature_tuning", off},
    {"use_bidirectional_attention", off},
    {"attention_bias", off},
    {"mlp_bias", off},
    {"qkv_bias", off},
    {"use_qkv_bias", off},
    {"use_bias", off},
    {"clip_qkv", off},
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

std::vector<float> parse_factors(const Json& rope, std::string_view key, const std::string& where,
                                 std::int64_t count) {
    const Json& list = require_array(rope, key, where);
    std::vector<float> factors;
    for (const Json& value : list)
        factors.push_back(static_cast<float>(as_number(value, json_path(where, key))));
    const bool positive =
        std::all_of(factors.begin(), factors.end(), [](float f) { return f > 0 && std::isfinite(f); });
    if (static_cast<std::int64_t>(factors.size()) != count || !positive) {
        throw FormatError(fmt::format("{}: {} has {} numbers, expected {} positive ones", where, key,
                                      factors.size(), count));
    }
    return factors;
}

// transformers modeling_rope_utils, _compute_yarn_parameters; YaRN (Peng et al. 2023).
void parse_yarn(const Json& rope, const std::string& where, std::int64_t max_positions, RopeConfig& out) {
    const auto scale = [](double factor, double m) {
        return factor <= 1 ? 1.0 : 0.1 * m * std::log(factor) + 1;
    };
    out.scaling = Scaling::kYarn;
    out.original_max_positions = optional_number(rope, "original_max_position_embeddings", where)
                                     .value_or(static_cast<double>(max_positions));
    out.factor = require_number(rope, "factor", where);
    out.beta_fast = optional_number(rope, "beta_fast", where).value_or(32);
    out.beta_slow = optional_number(rope, "beta_slow", where).value_or(1);
    out.truncate = optional_bool(rope, "truncate", where).value_or(true);
    const double m = optional_number(rope, "mscale", where).value_or(0),
                 all = optional_number(rope, "mscale_all_dim", where).value_or(0);
    const double computed =
        m != 0 && all != 0 ? scale(out.factor, m) / scale(out.factor, all) : scale(out.factor, 1);
    out.attention_factor = optional_number(rope, "attention_factor", where).value_or(computed);
}

// transformers modeling_rope_utils, _compute_longrope_parameters; LongRoPE (Ding et al. 2024).
void parse_longrope(const Json& config, std::string_view what, const Json& rope, const std::string& where,
                    std::int64_t max_positions, RopeConfig& out) {
    out.scaling = Scaling::kLongrope;
    const auto own = optional_number(rope, "original_max_position_embeddings", where);
    const auto outer = optional_number(config, "original_max_position_embeddings", what);
    out.original_max_positions = own ? *own : outer.value_or(static_cast<double>(max_positions));
    out.divisors = parse_factors(rope, "short_factor", where, out.dimensions / 2);
    out.long_divisors = parse_factors(rope, "long_factor", where, out.dimensions / 2);
    const double factor = own || outer ? static_cast<double>(max_positions) / out.original_max_positions
                                       : optional_number(rope, "factor", where).value_or(1);
    const double computed =
        factor <= 1 ? 1 : std::sqrt(1 + std::log(factor) / std::log(out.original_max_positions));
    out.attention_factor = optional_number(rope, "attention_factor", where).value_or(computed);
}

void parse_rope_type(const Json& config, std::string_view what, const Json& rope, const std::string& where,
                     std::int64_t max_positions, RopeConfig& out) {
    const auto type = optional_string(rope, "rope_type", where);
    const auto legacy = optional_string(rope, "type", where);
    const std::string name = type.value_or(legacy.value_or("default"));
    // Dynamic scaling begins beyond max_position_embeddings, where no window reaches.
    if (name == "default" || name == "dynamic") return;
    const bool phi_yarn = name == "yarn" && rope.contains("long_factor");
    if (name == "longrope" || name == "su" || phi_yarn)
        return parse_longrope(config, what, rope, where, max_positions, out);
    if (name == "yarn") return parse_yarn(rope, where, max_positions, out);
    if (name == "linear") {
        out.scaling = Scaling::kLinear;
        out.factor = require_number(rope, "factor", where);
        return;
    }
    if (name == "llama3") {
        out.scaling = Scaling::kLlama3;
        out.factor = require_number(rope, "factor", where);
        out.low_freq_factor = require_number(rope, "low_freq_factor", where);
        out.high_freq_factor = require_number(rope, "high_freq_factor", where);
        out.original_max_positions = require_number(rope, "original_max_position_embeddings", where);
        return;
    }
    throw Unsupported(fmt::format(
        "{}: rope type '{}' is not supported; default, linear, dynamic, llama3, yarn and longrope are", where,
        name));
}

std::int64_t rotary_dimensions(double factor, std::int64_t head_dim, const std::string& where) {
    if (!(factor > 0 && factor <= 1)) {
        throw FormatError(
            fmt::format("{}: partial_rotary_factor {} is not above 0 and at most 1", where, factor));
    }
    return static_cast<std::int64_t>(static_cast<double>(head_dim) * factor);
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

RopeConfig parse_hf_rope(const Json& config, std::string_view what, std::string_view layer_type, double theta,
                         std::int64_t head_dim, std::int64_t max_positions) {
    RopeConfig rope;
    rope.theta = optional_number(config, "rope_theta", what).value_or(theta);
    const double partial = optional_number(config, "partial_rotary_factor", what).value_or(1);
    rope.dimensions = rotary_dimensions(partial, head_dim, std::string(what));
    std::string key =
        optional_member(config, "rope_scaling", what) != nullptr ? "rope_scaling" : "rope_parameters";
    const Json* nested = optional_object(config, key, what);
    std::string where = json_path(what, key);
    if (nested != nullptr && !layer_type.empty() && nested->contains(layer_type)) {
        nested = &require_object(*nested, layer_type, where);
        where = json_path(where, layer_type);
    }
    if (nested == nullptr) return rope;
    rope.theta = optional_number(*nested, "rope_theta", where).value_or(rope.theta);
    rope.dimensions = rotary_dimensions(
        optional_number(*nested, "partial_rotary_factor", where).value_or(partial), head_dim, where);
    parse_rope_type(config, what, *nested, where, max_positions, rope);
    return rope;
}

void set_hf_windows(const Json& config, std::string_view what, std::int64_t window,
                    bool (*slides)(std::int64_t), ModelConfig& out) {
    const Json* types = optional_array(config, "layer_types", what);
    if (types != nullptr && static_cast<std::int64_t>(types->size()) != out.layers) {
        throw FormatError(
            fmt::format("{}: layer_types has {} entries for {} layers", what, types->size(), out.layers));
    }
    for (std::size_t i = 0; i < out.layer.size(); ++i) {
        bool sliding = slides(static_cast<std::int64_t>(i));
        if (types != nullptr) {
            const std::string type = as_string((*types)[i], json_path(what, "layer_types"));
            if (type != "full_attention" && type != "sliding_attention") {
                throw Unsupported(fmt::format(
                    "{}: layer type '{}' is not supported; full_attention and sliding_attention are", what,
                    type));
            }
            sliding = type == "sliding_attention";
        }
        if (sliding && window <= 0)
            throw FormatError(fmt::format("{}: layer {} slides, but sliding_window is not given", what, i));
        out.layer[i].window = sliding ? window : 0;
    }
}

ModelConfig parse_hf_base(const Json& config, std::string_view what, const HfDefaults& defaults,
                          std::span<const std::string_view> handled) {
    refuse_unhandled(config, what, handled);
    ModelConfig out;
    out.hidden = hf_size(config, "hidden_size", what);
    out.intermediate = hf_size(config, "intermediate_size", what);
    out.layers = require_int(config, "num_hidden_layers", what, {1, 100000});
    out.heads = hf_size(config, "num_attention_heads", what);
    out.kv_heads = hf_size(config, "num_key_value_heads", what, out.heads);
    const std::int64_t head_dim = defaults.head_dim > 0 ? defaults.head_dim : out.hidden / out.heads;
    out.head_dim = hf_size(config, "head_dim", what, std::max<std::int64_t>(head_dim, 1));
    out.vocabulary = hf_size(config, "vocab_size", what);
    out.max_positions = hf_size(config, "max_position_embeddings", what, 2048);
    out.rms_eps = optional_number(config, "rms_norm_eps", what).value_or(defaults.rms_eps);
    out.tied_head = optional_bool(config, "tie_word_embeddings", what).value_or(defaults.tied_head);
    out.activation = parse_activation(config, what, defaults);
    out.attention_scale = 1 / std::sqrt(static_cast<double>(out.head_dim));
    out.rope = parse_hf_rope(config, what, "full_attention", defaults.theta, out.head_dim, out.max_positions);
    out.layer.resize(static_cast<std::size_t>(out.layers));
    return out;
}

}  // namespace assay
