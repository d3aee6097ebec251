// How a linear's inputs are stored beside quantized weights: a8-token, a8-tensor, afp8-token, afp8-tensor.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "number/number_format.h"

namespace assay {

// Symmetric 8-bit numbers, value = code · scale, without a zero point:
//   a8:   code = clamp(round(x / s), -128, 127), s = max |x| / 127
//   afp8: code = E4M3(x / s), up to 448 at the ends, s = max |x| / 448
// rounded half to even, s an f32.
// Source: vLLM's scaled_int8_quant, dynamic_per_token_scaled_fp8_quant and static_scaled_fp8_quant.
struct ActivationFormat {
    enum class Element : std::uint8_t { kInt8, kE4m3 };
    Element element = Element::kInt8;
    // Each position has its own scale, of its own largest magnitude (dynamic); else one scale serves all, of
    // the largest magnitude on calibration windows (static).
    bool per_token = true;

    auto operator<=>(const ActivationFormat&) const = default;
};

// Reads (a8|afp8)-(token|tensor). Throws InvalidArgument for any other text.
ActivationFormat parse_activation_format(std::string_view text);

// The one canonical text.
std::string to_string(const ActivationFormat& format);

// Throws InvalidArgument for weights whose codes no product of such inputs takes: integers go with integers,
// symmetric and with one scale a row or matrix; E4M3 with E4M3 in the same way.
void check_activations(const NumberFormat& weights, const ActivationFormat& format);

}  // namespace assay
