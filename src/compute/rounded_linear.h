// A linear on 8-bit numbers: codes of its inputs times codes of its weights, rescaled.
#pragma once

#include <cstdint>
#include <vector>

#include "tensor/matrix.h"

namespace assay::compute {

enum class InputElement : std::uint8_t { kInt8, kE4m3 };

// How a row x of inputs becomes codes:  x_c / divisor_c / s, rounded half to even and cut at the ends: -128
// and 127, or ±448.
struct InputRounding {
    InputElement element = InputElement::kInt8;
    // s of all rows; 0: each row has its own, f32(max_c |x_c / divisor_c| / top), top 127 or 448.
    float scale = 0;
    std::vector<float> divisors;  // [in], or empty: 1
};

// y_o = s · scale_o · Σ_c code(x_c) code(w_oc) + bias_o. A row that holds NaN or Inf gives NaN.
struct RoundedLinear {
    Matrix<float> codes;        // [out, in]: integers from -128 to 127, or numbers of E4M3
    std::vector<float> scales;  // [out]
    InputRounding input;
};

}  // namespace assay::compute
