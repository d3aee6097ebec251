// The result of `assay weights`: what each linear's weights look like and what a treatment does to them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace assay {

// W is the reference weight [out, in], Q the treated one, E = W - Q; sigma is the standard deviation of W's
// elements.
struct WeightsLinear {
    std::string name;
    std::vector<std::int64_t> shape;  // [out, in]
    std::string treatment;
    double effective_bits = 0;             // stored bits per weight, with scales, zero points and padding
    double frobenius_error = 0;            // ||E||_F
    std::optional<double> relative_error;  // ||E||_F / ||W||_F; none for W = 0
    double max_abs_error = 0;
    double mean_abs_error = 0;
    std::optional<double> sqnr_db;  // 10 log10(||W||^2 / ||E||^2); none for E = 0 (infinite) or W = 0
    double mean = 0;
    double std = 0;  // divided by n, not n - 1
    double min = 0;
    double max = 0;
    double max_abs = 0;
    double outlier_fraction_3s = 0;  // share of the weights with |w - mean| > 3 sigma; likewise 4 and 6
    double outlier_fraction_4s = 0;
    double outlier_fraction_6s = 0;
    std::optional<double> range_ratio;  // (max - min) / (max - min within 3 sigma); none for constant weights
    std::optional<double> range_ratio_4s;      // the same within 4 sigma
    std::optional<double> quantization_waste;  // 1 - 1 / range_ratio

    bool operator==(const WeightsLinear&) const = default;
};

struct WeightsResult {
    std::vector<WeightsLinear> linears;  // in model order

    bool operator==(const WeightsResult&) const = default;
};

}  // namespace assay
