#include "model/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace assay {
namespace {

// transformers modeling_rope_utils, _compute_llama3_parameters: long wavelengths are divided by the factor,
// short ones kept, those between interpolated.
double llama3_frequency(const RopeConfig& rope, double f) {
    const double wavelength = 2 * std::numbers::pi / f;
    const double original = rope.original_max_positions;
    if (wavelength < original / rope.high_freq_factor) return f;
    if (wavelength > original / rope.low_freq_factor) return f / rope.factor;
    const double smooth =
        (original / wavelength - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
    return (1 - smooth) * f / rope.factor + smooth * f;
}

// transformers modeling_rope_utils, _compute_yarn_parameters: how far pair i is interpolated, 0 to 1.
double yarn_ramp(const RopeConfig& rope, std::int64_t i) {
    const auto d = static_cast<double>(rope.dimensions);
    const auto pair_turning = [&](double turns) {
        return d * std::log(rope.original_max_positions / (turns * 2 * std::numbers::pi)) /
               (2 * std::log(rope.theta));
    };
    double low = pair_turning(rope.beta_fast), high = pair_turning(rope.beta_slow);
    if (rope.truncate) {
        low = std::floor(low);
        high = std::ceil(high);
    }
    low = std::max(low, 0.0);
    high = std::min(high, d - 1);
    if (low == high) high += 0.001;
    return std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
}

double scaled(const RopeConfig& rope, double f, std::int64_t i) {
    switch (rope.scaling) {
        case RopeConfig::Scaling::kLinear:
            return f / rope.factor;
        case RopeConfig::Scaling::kLlama3:
            return llama3_frequency(rope, f);
        case RopeConfig::Scaling::kYarn: {
            const double ramp = yarn_ramp(rope, i);
            return f / rope.factor * ramp + f * (1 - ramp);
        }
        case RopeConfig::Scaling::kNone:
        case RopeConfig::Scaling::kLongrope:
            break;
    }
    return f;
}

}  // namespace

std::vector<float> rope_frequencies(const RopeConfig& rope) {
    std::vector<float> frequencies;
    for (std::int64_t i = 0; i < rope.dimensions / 2; ++i) {
        double f = std::pow(rope.theta, -2.0 * static_cast<double>(i) / static_cast<double>(rope.dimensions));
        f = scaled(rope, f, i);
        if (!rope.divisors.empty()) f /= static_cast<double>(rope.divisors[static_cast<std::size_t>(i)]);
        frequencies.push_back(static_cast<float>(f));
    }
    return frequencies;
}

RopeTables rope_tables(const RopeConfig& rope, std::int64_t positions) {
    const std::vector<float> frequencies = rope_frequencies(rope);
    const std::int64_t half = rope.dimensions / 2;
    RopeTables tables{Matrix<float>(positions, half), Matrix<float>(positions, half)};
    for (std::int64_t t = 0; t < positions; ++t) {
        for (std::size_t i = 0; i < frequencies.size(); ++i) {
            const auto angle = static_cast<double>(static_cast<float>(t) * frequencies[i]);
            tables.cosines.row(t)[i] = static_cast<float>(std::cos(angle) * rope.attention_factor);
            tables.sines.row(t)[i] = static_cast<float>(std::sin(angle) * rope.attention_factor);
        }
    }
    return tables;
}

std::vector<RopeVariant> rope_variants(const RopeConfig& rope, std::int64_t positions) {
    const auto original = static_cast<std::int64_t>(rope.original_max_positions);
    if (rope.long_divisors.empty() || positions <= original) return {{positions, rope}};
    RopeConfig longer = rope;
    longer.divisors = rope.long_divisors;
    return {{original, rope}, {positions, std::move(longer)}};
}

}  // namespace assay
