// Conversions between f32 and the 8-bit float types of the OCP formats, bit by bit; round to nearest, ties to
// even. Source: OCP 8-bit Floating Point Specification 1.0; OCP Microscaling Formats 1.0 (E8M0).
#pragma once

#include <bit>
#include <cstdint>

#include "tensor/float16.h"

namespace assay {

// Largest finite magnitudes.
inline constexpr float kF8E4M3Max = 448.0f;
inline constexpr float kF8E5M2Max = 57344.0f;

// E4M3 (the variant "fn": no infinities) -> f32, exact. 0x7f and 0xff are NaN.
inline float f8e4m3_to_f32(std::uint8_t bits) {
    const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x80u) << 24;
    const std::uint32_t magnitude = bits & 0x7fu;
    if (magnitude == 0x7fu) return std::bit_cast<float>(sign | 0x7fc00000u);
    if (magnitude < 8) {  // zero or subnormal: magnitude * 2^-9
        const float value = static_cast<float>(magnitude) * 0x1.0p-9f;
        return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(value));
    }
    return std::bit_cast<float>(sign | ((magnitude << 20) + 0x3c000000u));
}

// E5M2 -> f32, exact: the upper byte of an IEEE binary16, with infinities and NaN.
inline float f8e5m2_to_f32(std::uint8_t bits) {
    return f16_to_f32(static_cast<std::uint16_t>(bits << 8));
}

// E8M0, the scale of MX blocks -> f32: 2^(bits - 127), exact (2^-127 is a subnormal). 0xff is NaN.
inline float f8e8m0_to_f32(std::uint8_t bits) {
    if (bits == 0xff) return std::bit_cast<float>(0x7fc00000u);
    if (bits == 0) return 0x1.0p-127f;
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 23);
}

// f32 -> E4M3, saturating: magnitudes above 448, infinity among them, become 448. NaN stays NaN (0x7f or
// 0xff, by its sign).
inline std::uint8_t f32_to_f8e4m3(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const auto sign = static_cast<std::uint8_t>((bits >> 24) & 0x80u);
    const std::uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return static_cast<std::uint8_t>(sign | 0x7fu);
    if (magnitude >= 0x43e00000u) return static_cast<std::uint8_t>(sign | 0x7eu);
    if (magnitude < 0x3c800000u) {  // result is subnormal: adding 2^14 aligns the last place to 2^-9
        const float shifted = std::bit_cast<float>(magnitude) + 0x1.0p14f;
        return static_cast<std::uint8_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x46800000u));
    }
    const std::uint32_t rounded = magnitude + 0x7ffffu + ((magnitude >> 20) & 1u);
    return static_cast<std::uint8_t>(sign | ((rounded - 0x3c000000u) >> 20));
}

// f32 -> E5M2, saturating: magnitudes above 57344, infinity among them, become 57344. NaN stays NaN (0x7f or
// 0xff, by its sign).
inline std::uint8_t f32_to_f8e5m2(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const auto sign = static_cast<std::uint8_t>((bits >> 24) & 0x80u);
    const std::uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return static_cast<std::uint8_t>(sign | 0x7fu);
    if (magnitude >= 0x47600000u) return static_cast<std::uint8_t>(sign | 0x7bu);
    if (magnitude < 0x38800000u) {  // result is subnormal: adding 2^7 aligns the last place to 2^-16
        const float shifted = std::bit_cast<float>(magnitude) + 0x1.0p7f;
        return static_cast<std::uint8_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x43000000u));
    }
    const std::uint32_t rounded = magnitude + 0xfffffu + ((magnitude >> 21) & 1u);
    return static_cast<std::uint8_t>(sign | ((rounded - 0x38000000u) >> 21));
}

}  // namespace assay
