#include "model/rope.h"

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

}  // namespace

std::vector<float> rope_frequencies(const RopeConfig& rope, std::int64_t head_dim) {
    std::vector<float> frequencies;
    for (std::int64_t i = 0; i < head_dim / 2; ++i) {
        double f = std::pow(rope.theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
        if (rope.scaling == RopeConfig::Scaling::kLinear) f /= rope.factor;
        if (rope.scaling == RopeConfig::Scaling::kLlama3) f = llama3_frequency(rope, f);
        if (!rope.divisors.empty()) f /= static_cast<double>(rope.divisors[static_cast<std::size_t>(i)]);
        frequencies.push_back(static_cast<float>(f));
    }
    return frequencies;
}

RopeTables rope_tables(const RopeConfig& rope, std::int64_t head_dim, std::int64_t positions) {
    const std::vector<float> frequencies = rope_frequencies(rope, head_dim);
    RopeTables tables{Matrix<float>(positions, head_dim / 2), Matrix<float>(positions, head_dim / 2)};
    for (std::int64_t t = 0; t < positions; ++t) {
        for (std::size_t i = 0; i < frequencies.size(); ++i) {
            const auto angle = static_cast<double>(static_cast<float>(t) * frequencies[i]);
            tables.cosines.row(t)[i] = static_cast<float>(std::cos(angle));
            tables.sines.row(t)[i] = static_cast<float>(std::sin(angle));
        }
    }
    return tables;
}

}  // namespace assay
