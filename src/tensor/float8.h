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

// Both encoders: `mantissa` bits, exponent bias, largest number and its code.
template <int mantissa, std::uint32_t bias>
std::uint8_t f32_to_f8(float value, float largest, std::uint32_t largest_code) {
    constexpr int kDropped = 23 - mantissa;
    constexpr std::uint32_t kRebias = (127 - bias) << 23;
    // Adding this power of two aligns the last place to that of the subnormal results, 2^(1 - bias -
    // mantissa).
    constexpr std::uint32_t kAlign = (127 + 1 - bias - mantissa + 23) << 23;
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const auto sign = static_cast<std::uint8_t>((bits >> 24) & 0x80u);
    const std::uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return static_cast<std::uint8_t>(sign | 0x7fu);
    if (magnitude >= std::bit_cast<std::uint32_t>(largest))
        return static_cast<std::uint8_t>(sign | largest_code);
    if (magnitude < kRebias + (1u << 23)) {  // the result is subnormal
        const float shifted = std::bit_cast<float>(magnitude) + std::bit_cast<float>(kAlign);
        return static_cast<std::uint8_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - kAlign));
    }
    const std::uint32_t rounded = magnitude + ((1u << (kDropped - 1)) - 1) + ((magnitude >> kDropped) & 1u);
    return static_cast<std::uint8_t>(sign | ((rounded - kRebias) >> kDropped));
}

// f32 -> E4M3, saturating: magnitudes above 448, infinity among them, become 448. NaN stays NaN (0x7f or
// 0xff, by its sign).
inline std::uint8_t f32_to_f8e4m3(float value) {
    return f32_to_f8<3, 7>(value, kF8E4M3Max, 0x7e);
}

// f32 -> E5M2, saturating: magnitudes above 57344, infinity among them, become 57344. NaN stays NaN (0x7f or
// 0xff, by its sign).
inline std::uint8_t f32_to_f8e5m2(float value) {
    return f32_to_f8<2, 15>(value, kF8E5M2Max, 0x7b);
}

}  // namespace assay
