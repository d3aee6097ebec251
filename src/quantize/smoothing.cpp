#include "quantize/smoothing.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"

namespace assay {
namespace {

void check(std::span<const float> magnitudes, const char* what) {
    const bool good =
        std::all_of(magnitudes.begin(), magnitudes.end(), [](float m) { return std::isfinite(m) && m >= 0; });
    if (!good)
        throw InvalidArgument(std::string("smoothing: a magnitude of the ") + what +
                              " is negative or no number");
}

}  // namespace

std::vector<float> smoothing_scales(std::span<const float> input_max, std::span<const float> weight_max,
                                    double alpha) {
    if (input_max.size() != weight_max.size())
        throw InvalidArgument("smoothing: inputs and weights have different numbers of channels");
    if (!(alpha >= 0 && alpha <= 1)) throw InvalidArgument("smoothing: alpha is a number from 0 to 1");
    check(input_max, "inputs");
    check(weight_max, "weights");
    std::vector<float> scales(input_max.size(), 1.0f);
    if (scales.empty()) return scales;
    const double least = kLeastWeightShare * *std::max_element(weight_max.begin(), weight_max.end());
    if (least == 0) return scales;
    for (std::size_t c = 0; c < scales.size(); ++c) {
        if (input_max[c] == 0) continue;
        const double w = std::max(static_cast<double>(weight_max[c]), least);
        const double s = std::pow(static_cast<double>(input_max[c]), alpha) / std::pow(w, 1 - alpha);
        scales[c] = static_cast<float>(
            std::clamp<double>(s, std::numeric_limits<float>::min(), std::numeric_limits<float>::max()));
    }
    return scales;
}

double max_over_mean(std::span<const float> channel_max) {
    const double sum = std::accumulate(channel_max.begin(), channel_max.end(), 0.0);
    if (sum == 0) return 1;
    return *std::max_element(channel_max.begin(), channel_max.end()) *
           static_cast<double>(channel_max.size()) / sum;
}

}  // namespace assay
