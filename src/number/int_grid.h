// The integer grid of one group of weights: how scale and zero point are chosen, how values and codes map.
#pragma once

#include <algorithm>
#include <cmath>

#include "number/int_format.h"

namespace assay {

// value = (code - zero) · scale for the codes 0 to top. A symmetric format is the grid with zero =
// 2^(bits-1). All arithmetic is float32 with real division, rounding half to even.
struct IntGrid {
    float scale = 0;  // exactly as stored; 0 only for a group of zeros
    float zero = 0;
    float top = 0;

    // clamp(round(w / scale) + zero, 0, top), a whole number; for scale = 0 (all w are 0) the code of 0.
    float code(float w) const {
        const float steps = std::nearbyint(w / (scale > 0 ? scale : 1.0f));
        return std::min(std::max(steps + zero, 0.0f), top);
    }
    float value(float code) const { return (code - zero) * scale; }
};

// The grid of round-to-nearest for finite weights whose smallest is `low` and largest is `high`.
//
//   asymmetric: lo = min(0, low), hi = max(0, high)
//               s = (hi - lo) / (2^b - 1), zero = clamp(round(-lo / s), 0, 2^b - 1)
//   symmetric:  s = max(|low|, |high|) / (2^(b-1) - 1), zero = 2^(b-1)
//
// The scale is rounded to the format's type before the zero point is computed, so codes fit the scale that a
// file holds. 0 is always on the grid; a one-sided group has its zero point exactly at an end of the codes.
// A constant group c takes s = |c| (one step): then the grid holds c exactly where the scale type holds |c|,
// else c rounded to that type; only where |c| does not fit f16 is the general formula used. A group of zeros
// has s = 0. A scale that would round to zero becomes the smallest positive number of its type.
//
// Throws: NumericError where the scale or the grid's largest value overflows (f16: from 65520).
// Source: Nagel et al. 2021, "A White Paper on Neural Network Quantization", section 2.2.
IntGrid int_grid(const IntFormat& format, float low, float high);

}  // namespace assay
