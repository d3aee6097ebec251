// ggml's blocks of 256 elements.
#include "number/ggml_decoders.h"

namespace assay::ggml {
namespace {

constexpr int kElements = 256;  // of a block

// The 2-bit codes of Q2_K and Q3_K: 16 elements of group g are bits `shift` of the bytes from `first` on.
struct TwoBitGroup {
    explicit TwoBitGroup(int g) : first(32 * (g / 8) + 16 * (g % 2)), shift(2 * (g % 8 / 2)) {}
    int first, shift;
};

struct ScaleAndMin {
    int scale, min;
};

// Sub-block j's 6-bit scale and minimum of Q4_K and Q5_K, eight pairs packed in 12 bytes.
ScaleAndMin scale_and_min(const std::byte* packed, int j) {
    if (j < 4) return {bits(packed[j], 0, 6), bits(packed[j + 4], 0, 6)};
    return {bits(packed[j + 4], 0, 4) | bits(packed[j - 4], 6, 2) << 4,
            bits(packed[j + 4], 4, 4) | bits(packed[j], 6, 2) << 4};
}

// Group g's 6-bit scale of Q3_K, sixteen packed in 12 bytes: four low bits, then two high bits.
int q3_scale(const std::byte* packed, int g) {
    return bits(packed[g % 8], 4 * (g / 8), 4) | bits(packed[8 + g % 4], 2 * (g / 4), 2) << 4;
}

}  // namespace

// 84 bytes: 16 groups' scale (low) and minimum (high nibble); 64 bytes of 2-bit codes; f16 d; f16 dmin.
// Value: (d scale) q - dmin min.
void decode_q2_k(const std::byte* blocks, std::span<float> out) {
    for_each_block<kElements, 84>(blocks, out, [](const std::byte* block, float* y) {
        const float d = load_f16(block + 80), dmin = load_f16(block + 82);
        for (int g = 0; g < 16; ++g) {
            const TwoBitGroup group(g);
            const std::byte* codes = block + 16 + group.first;
            const float scale = d * static_cast<float>(bits(block[g], 0, 4));
            const float min = dmin * static_cast<float>(bits(block[g], 4, 4));
            for (int j = 0; j < 16; ++j)
                y[16 * g + j] = scale * static_cast<float>(bits(codes[j], group.shift, 2)) - min;
        }
    });
}

// 110 bytes: 32 bytes of third bits; 64 bytes of 2-bit codes; 12 bytes of 6-bit scales; f16 d.
// Value: d (scale - 32) (q - 4).
void decode_q3_k(const std::byte* blocks, std::span<float> out) {
    for_each_block<kElements, 110>(blocks, out, [](const std::byte* block, float* y) {
        const float d = load_f16(block + 108);
        for (int g = 0; g < 16; ++g) {
            const TwoBitGroup group(g);
            const std::byte* codes = block + 32 + group.first;
            const std::byte* high = block + 16 * (g % 2);
            const float scale = d * static_cast<float>(q3_scale(block + 96, g) - 32);
            for (int j = 0; j < 16; ++j) {
                const int q = bits(codes[j], group.shift, 2) | bits(high[j], g / 2, 1) << 2;
                y[16 * g + j] = scale * static_cast<float>(q - 4);
            }
        }
    });
}

// 144 bytes: f16 d; f16 dmin; 12 bytes of scales and minima; 128 bytes of nibbles, sub-block 2k low and
// 2k + 1 high. Value: (d scale) q - dmin min.
void decode_q4_k(const std::byte* blocks, std::span<float> out) {
    for_each_block<kElements, 144>(blocks, out, [](const std::byte* block, float* y) {
        const float d = load_f16(block), dmin = load_f16(block + 2);
        for (int k = 0; k < 8; ++k) {
            const ScaleAndMin s = scale_and_min(block + 4, k);
            const std::byte* codes = block + 16 + 32 * (k / 2);
            const float scale = d * static_cast<float>(s.scale), min = dmin * static_cast<float>(s.min);
            for (int j = 0; j < 32; ++j)
                y[32 * k + j] = scale * static_cast<float>(bits(codes[j], 4 * (k % 2), 4)) - min;
        }
    });
}

// 176 bytes: as Q4_K, with 32 bytes of fifth bits before the nibbles: bit k of byte j for sub-block k.
void decode_q5_k(const std::byte* blocks, std::span<float> out) {
    for_each_block<kElements, 176>(blocks, out, [](const std::byte* block, float* y) {
        const float d = load_f16(block), dmin = load_f16(block + 2);
        const std::byte* high = block + 16;
        for (int k = 0; k < 8; ++k) {
            const ScaleAndMin s = scale_and_min(block + 4, k);
            const std::byte* codes = block + 48 + 32 * (k / 2);
            const float scale = d * static_cast<float>(s.scale), min = dmin * static_cast<float>(s.min);
            for (int j = 0; j < 32; ++j) {
                const int q = bits(codes[j], 4 * (k % 2), 4) | bits(high[j], k, 1) << 4;
                y[32 * k + j] = scale * static_cast<float>(q) - min;
            }
        }
    });
}

// 210 bytes: 128 bytes of low nibbles; 64 bytes of 2-bit high parts; 16 signed scales; f16 d.
// Value: (d scale) (q - 32).
void decode_q6_k(const std::byte* blocks, std::span<float> out) {
    for_each_block<kElements, 210>(blocks, out, [](const std::byte* block, float* y) {
        const float d = load_f16(block + 208);
        for (int g = 0; g < 16; ++g) {
            const int half = g / 8, quarter = g % 8 / 2, first = 16 * (g % 2);
            const std::byte* low = block + 64 * half + 32 * (quarter % 2) + first;
            const std::byte* high = block + 128 + 32 * half + first;
            const float scale = d * static_cast<float>(static_cast<std::int8_t>(block[192 + g]));
            for (int j = 0; j < 16; ++j) {
                const int q = bits(low[j], 4 * (quarter / 2), 4) | bits(high[j], 2 * quarter, 2) << 4;
                y[16 * g + j] = scale * static_cast<float>(q - 32);
            }
        }
    });
}

// 136 bytes: f16 d; u16 of 2-bit high parts and 4 bytes of low nibbles of eight 6-bit scales; 128 bytes of
// nibbles, in each 16 bytes as in IQ4_NL. Value: d (scale - 32) kIQ4Levels[q].
void decode_iq4_xs(const std::byte* blocks, std::span<float> out) {
    for_each_block<kElements, 136>(blocks, out, [](const std::byte* block, float* y) {
        const float d = load_f16(block);
        const int high = load_u16(block + 2);
        for (int k = 0; k < 8; ++k) {
            const int packed = bits(block[4 + k / 2], 4 * (k % 2), 4) | ((high >> (2 * k)) & 3) << 4;
            const float scale = d * static_cast<float>(packed - 32);
            const std::byte* codes = block + 8 + 16 * k;
            for (int i = 0; i < 32; ++i) {
                const int q = bits(codes[i % 16], 4 * (i / 16), 4);
                y[32 * k + i] = scale * static_cast<float>(kIQ4Levels[static_cast<std::size_t>(q)]);
            }
        }
    });
}

// 54 bytes: 48 + 4 bytes of base-3 digits, five (the last four: four) to a byte; f16 d. Value: d (digit - 1).
void decode_tq1_0(const std::byte* blocks, std::span<float> out) {
    struct Run {
        int first, bytes, digits;
    };
    static constexpr std::array<Run, 3> kRuns{{{0, 32, 5}, {32, 16, 5}, {48, 4, 4}}};
    for_each_block<kElements, 54>(blocks, out, [](const std::byte* block, float* y) {
        const float d = load_f16(block + 52);
        for (const Run& run : kRuns) {
            int power = 1;
            for (int n = 0; n < run.digits; ++n, power *= 3) {
                for (int j = 0; j < run.bytes; ++j) {  // the byte holds its digits as a fraction of 256
                    const int rest = std::to_integer<int>(block[run.first + j]) * power % 256;
                    *y++ = static_cast<float>((rest * 3 >> 8) - 1) * d;
                }
            }
        }
    });
}

// 66 bytes: 64 bytes of 2-bit codes; f16 d. Value: d (q - 1).
void decode_tq2_0(const std::byte* blocks, std::span<float> out) {
    for_each_block<kElements, 66>(blocks, out, [](const std::byte* block, float* y) {
        const float d = load_f16(block + 64);
        for (int g = 0; g < 16; ++g) {
            const TwoBitGroup group(g);
            for (int j = 0; j < 16; ++j)
                y[16 * g + j] = static_cast<float>(bits(block[group.first + j], group.shift, 2) - 1) * d;
        }
    });
}

}  // namespace assay::ggml
