// Calibration sets that are mixed of several: how they are written, and how windows are shared out.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/calibration.h"

namespace assay {

struct CalibrationShare {
    std::string set;  // a built-in set or a path
    double weight = 1;
};

// Reads SET:WEIGHT,SET:WEIGHT,… such as "c4:2,code:1"; a text without ':' is one set. Weights are positive.
// Throws InvalidArgument for any other text.
std::vector<CalibrationShare> parse_calibration_mix(std::string_view text);

// So many windows shared out by weight: floors of samples w_i / Σ w, and what is left to the largest
// remainders, the first of equals.
std::vector<std::int64_t> windows_of_shares(std::int64_t samples, std::span<const CalibrationShare> shares);

// The shares' windows one through the other, so that any first few are mixed as all are: window k of n is put
// at (k + ½) / n, the first share's first of equals. Counts are added up.
SampledWindows interleave(std::vector<SampledWindows> shares);

}  // namespace assay
