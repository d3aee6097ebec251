// Rotary positions in config.json. Source: transformers, modeling_rope_utils.py.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "model/architectures/hf_config.h"

namespace assay {
namespace {

using Scaling = RopeConfig::Scaling;

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

// The positions that a scaling starts from: the outer key wins, as in transformers.
double original_positions(const Json& config, std::string_view what, const Json& rope,
                          const std::string& where, const HfDefaults& defaults, const ModelConfig& out) {
    constexpr const char* kKey = "original_max_position_embeddings";
    const auto outer = optional_number(config, kKey, what), own = optional_number(rope, kKey, where);
    const double absent = defaults.phi_rope ? 4096 : own.value_or(static_cast<double>(out.max_positions));
    const double positions = outer.value_or(absent);
    constexpr double kMost = 1 << 30;
    if (positions >= 1 && positions <= kMost) return positions;
    throw FormatError(fmt::format("{}: {} is {}, expected a positive number up to {}",
                                  outer ? std::string(what) : where, kKey, positions, kMost));
}

// transformers modeling_rope_utils, _compute_yarn_parameters; YaRN (Peng et al. 2023).
void parse_yarn(const Json& rope, const std::string& where, double max_positions, RopeConfig& out) {
    const auto scale = [](double factor, double m) {
        return factor <= 1 ? 1.0 : 0.1 * m * std::log(factor) + 1;
    };
    const auto or_if_zero = [](std::optional<double> value, double other) {
        return value.value_or(0) == 0 ? other : *value;
    };
    out.scaling = Scaling::kYarn;
    out.factor = optional_number(rope, "factor", where).value_or(max_positions / out.original_max_positions);
    out.beta_fast = or_if_zero(optional_number(rope, "beta_fast", where), 32);
    out.beta_slow = or_if_zero(optional_number(rope, "beta_slow", where), 1);
    out.truncate = optional_bool(rope, "truncate", where).value_or(true);
    const double m = optional_number(rope, "mscale", where).value_or(0),
                 all = optional_number(rope, "mscale_all_dim", where).value_or(0);
    const double computed =
        m != 0 && all != 0 ? scale(out.factor, m) / scale(out.factor, all) : scale(out.factor, 1);
    out.attention_factor = optional_number(rope, "attention_factor", where).value_or(computed);
}

// transformers modeling_rope_utils, _compute_longrope_parameters; LongRoPE (Ding et al. 2024).
void parse_longrope(const Json& rope, const std::string& where, double max_positions, RopeConfig& out) {
    out.scaling = Scaling::kLongrope;
    out.divisors = parse_factors(rope, "short_factor", where, out.dimensions / 2);
    out.long_divisors = parse_factors(rope, "long_factor", where, out.dimensions / 2);
    const double factor =
        optional_number(rope, "factor", where).value_or(max_positions / out.original_max_positions);
    const double computed =
        factor <= 1 ? 1 : std::sqrt(1 + std::log(factor) / std::log(out.original_max_positions));
    out.attention_factor = optional_number(rope, "attention_factor", where).value_or(computed);
}

void parse_llama3(const Json& rope, const std::string& where, RopeConfig& out) {
    out.scaling = Scaling::kLlama3;
    out.factor = require_number(rope, "factor", where);
    out.low_freq_factor = require_number(rope, "low_freq_factor", where);
    out.high_freq_factor = require_number(rope, "high_freq_factor", where);
}

// The name of a rope type, with longrope's old ones resolved.
std::string rope_type(const Json& rope, const std::string& where, bool phi) {
    const auto type = optional_string(rope, "rope_type", where);
    const auto legacy = optional_string(rope, "type", where);
    const std::string name = type.value_or(legacy.value_or("default"));
    return name == "su" || (phi && name == "yarn") ? "longrope" : name;
}

std::int64_t rotary_dimensions(double factor, std::int64_t head_dim, bool allowed, const std::string& where) {
    if (factor != 1 && !allowed) {
        throw Unsupported(
            fmt::format("{}: partial_rotary_factor = {} changes what the model computes, and is not "
                        "supported for this architecture",
                        where, factor));
    }
    if (!(factor > 0 && factor <= 1)) {
        throw FormatError(
            fmt::format("{}: partial_rotary_factor {} is not above 0 and at most 1", where, factor));
    }
    return static_cast<std::int64_t>(static_cast<double>(head_dim) * factor);
}

}  // namespace

const Json* hf_rope_parameters(const Json& config, std::string_view what, std::string& where) {
    for (const char* key : {"rope_scaling", "rope_parameters"}) {
        const Json* object = optional_object(config, key, what);
        if (object == nullptr || object->empty()) continue;
        where = json_path(what, key);
        for (const auto& item : object->items()) {
            if (!item.value().is_object()) continue;
            throw Unsupported(
                fmt::format("{}: rope parameters of {} alone are not supported for this architecture", where,
                            item.key()));
        }
        return object;
    }
    return nullptr;
}

RopeConfig parse_hf_rope(const Json& config, std::string_view what, const Json* parameters,
                         const std::string& where, double theta, const HfDefaults& defaults,
                         const ModelConfig& out) {
    RopeConfig rope;
    rope.theta = theta;
    const auto outer = optional_number(config, "partial_rotary_factor", what);
    rope.dimensions =
        rotary_dimensions(outer.value_or(1), out.head_dim, defaults.phi_rope, std::string(what));
    if (parameters == nullptr) return rope;
    rope.theta = optional_number(*parameters, "rope_theta", where).value_or(theta);
    if (const auto own = optional_number(*parameters, "partial_rotary_factor", where))
        rope.dimensions = rotary_dimensions(*own, out.head_dim, defaults.phi_rope, where);
    const std::string type = rope_type(*parameters, where, defaults.phi_rope);
    // Dynamic scaling begins beyond max_position_embeddings, where no window reaches.
    if (type == "default" || (type == "dynamic" && !defaults.phi_rope)) return rope;
    if (type == "longrope" || type == "yarn" || type == "llama3")
        rope.original_max_positions = original_positions(config, what, *parameters, where, defaults, out);
    const auto max_positions = static_cast<double>(out.max_positions);
    if (type == "longrope") {
        parse_longrope(*parameters, where, max_positions, rope);
    } else if (type == "yarn") {
        parse_yarn(*parameters, where, max_positions, rope);
    } else if (type == "llama3" && !defaults.phi_rope) {
        parse_llama3(*parameters, where, rope);
    } else if (type == "linear" && !defaults.phi_rope) {
        rope.scaling = Scaling::kLinear;
        rope.factor = require_number(*parameters, "factor", where);
    } else {
        throw Unsupported(fmt::format("{}: rope type '{}' is not supported; {}", where, type,
                                      defaults.phi_rope
                                          ? "default and longrope are for this architecture"
                                          : "default, linear, dynamic, llama3, yarn and longrope are"));
    }
    return rope;
}

}  // namespace assay
