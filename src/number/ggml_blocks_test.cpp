#include "number/ggml_blocks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "tensor/float16.h"

namespace assay {
namespace {

std::vector<float> decode(GgmlType type, const std::vector<std::byte>& bytes) {
    const GgmlTypeInfo info = ggml_type_info(type);
    std::vector<float> out(bytes.size() / info.block_bytes * info.block_elements);
    decode_ggml(type, bytes, out);
    return out;
}

void append_f16(std::vector<std::byte>& bytes, float value) {
    const std::uint16_t bits = f32_to_f16(value);
    bytes.push_back(static_cast<std::byte>(bits & 0xff));
    bytes.push_back(static_cast<std::byte>(bits >> 8));
}

// Blocks of `scales` f16 numbers followed by `codes` random bytes.
std::vector<std::byte> random_blocks(int blocks, int scales, int codes) {
    Rng rng(7);
    std::vector<std::byte> bytes;
    for (int b = 0; b < blocks; ++b) {
        for (int s = 0; s < scales; ++s) append_f16(bytes, static_cast<float>(rng.uniform() - 0.5));
        for (int c = 0; c < codes; ++c) bytes.push_back(static_cast<std::byte>(rng.below(256)));
    }
    return bytes;
}

float f16_at(const std::vector<std::byte>& bytes, std::size_t at) {
    std::uint16_t bits;
    std::memcpy(&bits, bytes.data() + at, 2);
    return f16_to_f32(bits);
}

// Nibble of element i of a 32-element block whose codes begin at `at`.
int nibble(const std::vector<std::byte>& bytes, std::size_t at, std::size_t i) {
    const int packed = std::to_integer<int>(bytes[at + i % 16]);
    return i < 16 ? packed & 15 : packed >> 4;
}

TEST(GgmlBlocks, DecodesTheQ4_0BlockOfTheFormatDescription) {
    std::vector<std::byte> block(18, std::byte{0x88});
    block[0] = std::byte{0x00};
    block[1] = std::byte{0x3c};
    block[2] = std::byte{0xf0};
    std::vector<float> expected(32, 0.0f);
    expected[0] = -8;
    expected[16] = 7;
    EXPECT_EQ(decode(GgmlType::kQ4_0, block), expected);
}

// Compares all elements with value(block's first byte, element within the block).
void expect_elements(GgmlType type, const std::vector<std::byte>& bytes,
                     const std::function<float(std::size_t, std::size_t)>& value) {
    const std::vector<float> decoded = decode(type, bytes);
    ASSERT_FALSE(decoded.empty());
    for (std::size_t i = 0; i < decoded.size(); ++i) {
        EXPECT_EQ(decoded[i], value(i / 32 * ggml_type_info(type).block_bytes, i % 32)) << i;
    }
}

TEST(GgmlBlocks, DecodesQ4_0ElementByElement) {
    const auto bytes = random_blocks(33, 1, 16);
    expect_elements(GgmlType::kQ4_0, bytes, [&](std::size_t at, std::size_t i) {
        return f16_at(bytes, at) * static_cast<float>(nibble(bytes, at + 2, i) - 8);
    });
}

TEST(GgmlBlocks, DecodesQ4_1ElementByElement) {
    const auto bytes = random_blocks(33, 2, 16);
    expect_elements(GgmlType::kQ4_1, bytes, [&](std::size_t at, std::size_t i) {
        const float scaled = f16_at(bytes, at) * static_cast<float>(nibble(bytes, at + 4, i));
        return scaled + f16_at(bytes, at + 2);
    });
}

TEST(GgmlBlocks, DecodesQ8_0ElementByElement) {
    const auto bytes = random_blocks(33, 1, 32);
    expect_elements(GgmlType::kQ8_0, bytes, [&](std::size_t at, std::size_t i) {
        int code = std::to_integer<int>(bytes[at + 2 + i]);
        if (code >= 128) code -= 256;
        return f16_at(bytes, at) * static_cast<float>(code);
    });
}

TEST(GgmlBlocks, DecodesPlainFloats) {
    const std::vector<float> values{0.0f, -1.5f, 0.015625f, 448.0f, std::numeric_limits<float>::infinity()};
    std::vector<std::byte> f32(values.size() * 4), f16, bf16;
    std::memcpy(f32.data(), values.data(), f32.size());
    for (float value : values) {
        append_f16(f16, value);
        const std::uint16_t bits = f32_to_bf16(value);
        bf16.push_back(static_cast<std::byte>(bits & 0xff));
        bf16.push_back(static_cast<std::byte>(bits >> 8));
    }
    EXPECT_EQ(decode(GgmlType::kF32, f32), values);
    EXPECT_EQ(decode(GgmlType::kF16, f16), values);
    EXPECT_EQ(decode(GgmlType::kBF16, bf16), values);
}

TEST(GgmlBlocks, RoundsF64ToTheNearestF32) {
    const std::vector<double> values{1.0 / 3, -0.0, 1e300, -1e-300};
    std::vector<std::byte> bytes(values.size() * 8);
    std::memcpy(bytes.data(), values.data(), bytes.size());
    const std::vector<float> decoded = decode(GgmlType::kF64, bytes);
    EXPECT_EQ(decoded, (std::vector<float>{1.0f / 3, -0.0f, std::numeric_limits<float>::infinity(), -0.0f}));
    EXPECT_TRUE(std::signbit(decoded[1]));
}

// The sub-block scales of K-quants are packed so that each type has its own way to get them wrong: here all
// codes are 1, so that an element shows its sub-block's scale and minimum.
TEST(GgmlBlocks, DecodesTheQ4_KScalesOfTheFormatDescription) {
    std::vector<std::byte> block;
    append_f16(block, 1.0f);
    append_f16(block, 1.0f);
    // Scales 1 2 3 4 21 38 55 8, minima 9 10 11 12 13 30 47 0: the upper four have their top bits in the
    // lower four's bytes.
    for (int byte : {0x41, 0x82, 0xc3, 0x04, 0x09, 0x4a, 0x8b, 0x0c, 0xd5, 0xe6, 0xf7, 0x08})
        block.push_back(static_cast<std::byte>(byte));
    block.resize(144, std::byte{0x11});
    const std::vector<int> scales{1, 2, 3, 4, 21, 38, 55, 8}, minima{9, 10, 11, 12, 13, 30, 47, 0};
    const std::vector<float> decoded = decode(GgmlType::kQ4K, block);
    for (std::size_t i = 0; i < 256; ++i)
        EXPECT_EQ(decoded[i], static_cast<float>(scales[i / 32] - minima[i / 32])) << i;
}

TEST(GgmlBlocks, DecodesQ6_KCodesAndSignedScales) {
    std::vector<std::byte> block(210, std::byte{0});
    block[0] = std::byte{0x2f};        // element 0: low bits 15; element 64: low bits 2
    block[128] = std::byte{0x23};      // element 0: high bits 3; element 64: high bits 2
    block[192] = std::byte{0xff};      // scale -1 of elements 0 to 15
    block[192 + 4] = std::byte{0x7f};  // scale 127 of elements 64 to 79
    block[209] = std::byte{0x38};      // d = 0.5
    const std::vector<float> decoded = decode(GgmlType::kQ6K, block);
    EXPECT_EQ(decoded[0], 0.5f * -1 * (63 - 32));
    EXPECT_EQ(decoded[64], 0.5f * 127 * (34 - 32));
    EXPECT_EQ(decoded[1], 0.5f * -1 * (0 - 32));
    EXPECT_EQ(decoded[65], 0.5f * 127 * (0 - 32));
    EXPECT_EQ(decoded[255], 0.0f);
}

TEST(GgmlBlocks, DecodesIQ4_NLLevels) {
    std::vector<std::byte> block;
    append_f16(block, 2.0f);
    for (int i = 0; i < 16; ++i) block.push_back(static_cast<std::byte>(i | (15 - i) << 4));
    const std::vector<float> decoded = decode(GgmlType::kIQ4NL, block);
    const std::vector<float> levels{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
    for (std::size_t i = 0; i < 16; ++i) {
        EXPECT_EQ(decoded[i], 2 * levels[i]);
        EXPECT_EQ(decoded[16 + i], 2 * levels[15 - i]);
    }
}

TEST(GgmlBlocks, DecodesMXFP4NumbersWithTheirPowerOfTwo) {
    std::vector<std::byte> block{std::byte{128}};  // 2^1
    for (int i = 0; i < 16; ++i) block.push_back(static_cast<std::byte>(i));
    const std::vector<float> decoded = decode(GgmlType::kMXFP4, block);
    const std::vector<float> e2m1{0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
    for (std::size_t i = 0; i < 8; ++i) {
        EXPECT_EQ(decoded[i], 2 * e2m1[i]);
        EXPECT_EQ(decoded[8 + i], -2 * e2m1[i]);
    }
}

TEST(GgmlBlocks, KnowsWhichTypesAreQuantized) {
    for (GgmlType type : {GgmlType::kF32, GgmlType::kF16, GgmlType::kBF16, GgmlType::kF64, GgmlType::kI8})
        EXPECT_FALSE(ggml_type_info(type).quantized());
    for (GgmlType type :
         {GgmlType::kQ4_0, GgmlType::kQ6K, GgmlType::kIQ4XS, GgmlType::kTQ1_0, GgmlType::kMXFP4})
        EXPECT_TRUE(ggml_type_info(type).quantized());
}

TEST(GgmlBlocks, DecodesNothingFromNothing) {
    for (std::uint32_t id = 0; id < 64; ++id) {
        const auto info = find_ggml_type(id);
        if (!info || info->decode == nullptr) continue;
        EXPECT_TRUE(decode(info->type, {}).empty()) << info->name;
    }
}

TEST(GgmlBlocks, LooksUpTypesByIdAndKnowsRemovedOnesAsAbsent) {
    EXPECT_EQ(find_ggml_type(2)->name, "Q4_0");
    EXPECT_EQ(find_ggml_type(14)->block_bytes, 210u);
    EXPECT_EQ(find_ggml_type(39)->name, "MXFP4");
    for (std::uint32_t id : {4u, 5u, 31u, 32u, 33u, 36u, 37u, 38u, 43u, 0xffffffffu})
        EXPECT_FALSE(find_ggml_type(id)) << id;
    EXPECT_THROW(ggml_type_info(static_cast<GgmlType>(4)), InvalidArgument);
}

TEST(GgmlBlocks, EveryTypeHasItsOwnIdAndName) {
    std::set<std::string> names;
    for (std::uint32_t id = 0; id < 64; ++id) {
        const auto info = find_ggml_type(id);
        if (!info) continue;
        EXPECT_EQ(static_cast<std::uint32_t>(info->type), id);
        EXPECT_TRUE(names.emplace(info->name).second) << info->name;
    }
    EXPECT_EQ(names.size(), 35u);
}

TEST(GgmlBlocks, RefusesTypesWithoutDecoderAndListsTheOthers) {
    std::vector<float> out(256);
    const std::vector<std::byte> bytes(66);
    EXPECT_FALSE(ggml_decodable(GgmlType::kIQ2XXS));
    EXPECT_TRUE(ggml_decodable(GgmlType::kQ4_1));
    try {
        decode_ggml(GgmlType::kIQ2XXS, bytes, out);
        FAIL() << "no exception";
    } catch (const Unsupported& error) {
        EXPECT_THAT(error.what(), testing::HasSubstr("IQ2_XXS"));
        EXPECT_THAT(error.what(), testing::HasSubstr("F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K"));
    }
}

TEST(GgmlBlocks, RefusesSizesThatAreNotWholeBlocks) {
    std::vector<float> out(32);
    const std::vector<std::byte> bytes(36);
    EXPECT_THROW(decode_ggml(GgmlType::kQ4_0, bytes, out), InvalidArgument);
    EXPECT_THROW(decode_ggml(GgmlType::kQ4_0, std::span(bytes).first(18), std::span(out).first(31)),
                 InvalidArgument);
}

}  // namespace
}  // namespace assay
