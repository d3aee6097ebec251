// The decoders behind the rows of ggml's type table: each turns whole blocks into out.size() floats, in the
// order of float32 operations of ggml's dequantize_row_* functions, so that the bits are equal.
// Source: ggml src/ggml-quants.c and src/ggml-common.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "tensor/float16.h"

namespace assay::ggml {

inline std::uint16_t load_u16(const std::byte* bytes) {
    std::uint16_t value;
    std::memcpy(&value, bytes, sizeof(value));
    return value;
}

inline float load_f16(const std::byte* bytes) {
    return f16_to_f32(load_u16(bytes));
}

// `count` bits of a byte, from bit `shift` upwards.
inline int bits(std::byte packed, int shift, int count) {
    return (std::to_integer<int>(packed) >> shift) & ((1 << count) - 1);
}

// Calls decode(block, y) for each block of `Bytes` bytes; y has room for its `Elements` elements.
template <int Elements, int Bytes, class Decode>
void for_each_block(const std::byte* blocks, std::span<float> out, Decode decode) {
    for (float* y = out.data(); y != out.data() + out.size(); y += Elements, blocks += Bytes)
        decode(blocks, y);
}

// The 16 levels of IQ4_NL and IQ4_XS.
inline constexpr std::array<std::int8_t, 16> kIQ4Levels{-127, -104, -83, -65, -49, -35, -22, -10,
                                                        1,    13,   25,  38,  53,  69,  89,  113};

// ggml_small_blocks.cpp: single elements and blocks of 32.
void decode_f64(const std::byte* blocks, std::span<float> out);  // rounded to f32
void decode_f32(const std::byte* blocks, std::span<float> out);
void decode_f16(const std::byte* blocks, std::span<float> out);
void decode_bf16(const std::byte* blocks, std::span<float> out);
void decode_q4_0(const std::byte* blocks, std::span<float> out);
void decode_q4_1(const std::byte* blocks, std::span<float> out);
void decode_q5_0(const std::byte* blocks, std::span<float> out);
void decode_q5_1(const std::byte* blocks, std::span<float> out);
void decode_q8_0(const std::byte* blocks, std::span<float> out);
void decode_iq4_nl(const std::byte* blocks, std::span<float> out);
void decode_mxfp4(const std::byte* blocks, std::span<float> out);

// ggml_k_blocks.cpp: blocks of 256.
void decode_q2_k(const std::byte* blocks, std::span<float> out);
void decode_q3_k(const std::byte* blocks, std::span<float> out);
void decode_q4_k(const std::byte* blocks, std::span<float> out);
void decode_q5_k(const std::byte* blocks, std::span<float> out);
void decode_q6_k(const std::byte* blocks, std::span<float> out);
void decode_iq4_xs(const std::byte* blocks, std::span<float> out);
void decode_tq1_0(const std::byte* blocks, std::span<float> out);
void decode_tq2_0(const std::byte* blocks, std::span<float> out);

}  // namespace assay::ggml
