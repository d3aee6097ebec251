// The middle of some numbers.
#pragma once

#include <algorithm>
#include <vector>

namespace assay {

// The upper one of two in the middle. Shape: at least one number.
inline double median(std::vector<double> values) {
    const auto middle = values.begin() + std::ssize(values) / 2;
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

}  // namespace assay
