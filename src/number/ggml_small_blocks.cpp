// ggml's plain types and its blocks of 32 elements.
#include <bit>

#include "number/ggml_decoders.h"

namespace assay::ggml {
namespace {

constexpr int kElements = 32;  // of a block

// Calls take(element, code) for the 4-bit codes of 16 bytes: byte j holds elements j (low) and j + 16 (high).
template <class Take>
void for_each_nibble(const std::byte* codes, Take take) {
    for (int j = 0; j < 16; ++j) {
        take(j, bits(codes[j], 0, 4));
        take(j + 16, bits(codes[j], 4, 4));
    }
}

// 2^(exponent - 128), the E8M0 scale halved, as ggml has it: 255 is no NaN.
float half_e8m0(std::byte exponent) {
    const auto e = std::to_integer<std::uint32_t>(exponent);
    return std::bit_cast<float>(e < 2 ? 0x00200000u << e : (e - 1) << 23);
}

}  // namespace

void decode_f64(const std::byte* blocks, std::span<float> out) {
    for (std::size_t i = 0; i < out.size(); ++i) {
        double value;
        std::memcpy(&value, blocks + 8 * i, sizeof(value));
        out[i] = static_cast<float>(value);
    }
}

void decode_f32(const std::byte* blocks, std::span<float> out) {
    if (!out.empty()) std::memcpy(out.data(), blocks, out.size_bytes());
}

void decode_f16(const std::byte* blocks, std::span<float> out) {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = load_f16(blocks + 2 * i);
}

void decode_bf16(const std::byte* blocks, std::span<float> out) {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = bf16_to_f32(load_u16(blocks + 2 * i));
}

// 18 bytes: f16 d; 16 bytes of nibbles. Value: d (q - 8).
void decode_q4_0(const std::byte* blocks, std::span<float> out) {
    for_each_block<kElements, 18>(blocks, out, [](const std::byte* block, float* y) {
        const float d = load_f16(block);
        for_each_nibble(block + 2, [&](int i, int q) { y[i] = d * static_cast<float>(q - 8); });
    });
}

// 20 bytes: f16 d; f16 m; nibbles. Value: d q + m.
void decode_q4_1(const std::byte* blocks, std::span<float> out) {
    for_each_block<kElements, 20>(blocks, out, [](const std::byte* block, float* y) {
        const float d = load_f16(block), m = load_f16(block + 2);
        for_each_nibble(block + 4, [&](int i, int q) { y[i] = d * static_cast<float>(q) + m; });
    });
}

// 22 bytes: f16 d; u32 whose bit i is the fifth bit of element i; nibbles. Value: d (q - 16).
void decode_q5_0(const std::byte* blocks, std::span<float> out) {
    for_each_block<kElements, 22>(blocks, out, [](const std::byte* block, float* y) {
        const float d = load_f16(block);
        const std::byte* high = block + 2;
        for_each_nibble(block + 6, [&](int i, int low) {
            y[i] = d * static_cast<float>((low | bits(high[i / 8], i % 8, 1) << 4) - 16);
        });
    });
}

// 24 bytes: f16 d; f16 m; fifth bits and nibbles as in Q5_0. Value: d q + m.
void decode_q5_1(const std::byte* blocks, std::span<float> out) {
    for_each_block<kElements, 24>(blocks, out, [](const std::byte* block, float* y) {
        const float d = load_f16(block), m = load_f16(block + 2);
        const std::byte* high = block + 4;
        for_each_nibble(block + 8, [&](int i, int low) {
            y[i] = d * static_cast<float>(low | bits(high[i / 8], i % 8, 1) << 4) + m;
        });
    });
}

// 34 bytes: f16 d; 32 signed bytes. Value: d q.
void decode_q8_0(const std::byte* blocks, std::span<float> out) {
    for_each_block<kElements, 34>(blocks, out, [](const std::byte* block, float* y) {
        const float d = load_f16(block);
        for (int i = 0; i < kElements; ++i) {
            y[i] = d * static_cast<float>(static_cast<std::int8_t>(block[2 + i]));
        }
    });
}

// 18 bytes: f16 d; nibbles. Value: d kIQ4Levels[q].
void decode_iq4_nl(const std::byte* blocks, std::span<float> out) {
    for_each_block<kElements, 18>(blocks, out, [](const std::byte* block, float* y) {
        const float d = load_f16(block);
        for_each_nibble(block + 2, [&](int i, int q) {
            y[i] = d * static_cast<float>(kIQ4Levels[static_cast<std::size_t>(q)]);
        });
    });
}

// 17 bytes: E8M0 scale; nibbles of E2M1. Value: 2^(e - 127) E2M1(q); the levels here are twice E2M1's.
void decode_mxfp4(const std::byte* blocks, std::span<float> out) {
    static constexpr std::array<float, 16> kLevels{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
    for_each_block<kElements, 17>(blocks, out, [](const std::byte* block, float* y) {
        const float d = half_e8m0(block[0]);
        for_each_nibble(block + 1, [&](int i, int q) { y[i] = d * kLevels[static_cast<std::size_t>(q)]; });
    });
}

}  // namespace assay::ggml
