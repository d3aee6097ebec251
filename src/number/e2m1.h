// Conversions between f32 and E2M1, the 4-bit float of the MX and NVFP4 formats; round to nearest, ties to
// even. Codes 0 to 7 are 0, 0.5, 1, 1.5, 2, 3, 4, 6; bit 3 is the sign; there is no infinity and no NaN.
// Source: OCP Microscaling Formats 1.0, section 5.3.3.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

namespace assay {

inline constexpr float kE2m1Max = 6.0f;

// The lower four bits -> f32, exact; 8 is -0.
inline float e2m1_to_f32(std::uint8_t code) {
    constexpr std::array<float, 16> kValues = {0.0f,  0.5f,  1.0f,  1.5f,  2.0f,  3.0f,  4.0f,  6.0f,
                                               -0.0f, -0.5f, -1.0f, -1.5f, -2.0f, -3.0f, -4.0f, -6.0f};
    return kValues[code & 0xfu];
}

// f32 -> E2M1, saturating: magnitudes above 6, infinity among them, become 6. `value` must not be NaN.
inline std::uint8_t f32_to_e2m1(float value) {
    // The code is the number of midpoints that lie below; a midpoint itself belongs to the even code.
    const float a = std::abs(value);
    const int magnitude =
        (a > 0.25f) + (a >= 0.75f) + (a > 1.25f) + (a >= 1.75f) + (a > 2.5f) + (a >= 3.5f) + (a > 5.0f);
    return static_cast<std::uint8_t>(magnitude | (std::signbit(value) ? 8 : 0));
}

}  // namespace assay
