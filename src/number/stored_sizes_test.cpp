// storage_size() against the bytes that real files hold for the same matrices.
//
// Byte counts are from the headers of checkpoints of a small Llama (hidden 256, intermediate 384, 2 layers, 2
// key/value heads of 32) that the named libraries wrote: per tensor kind, over all 14 linears.
#include <gtest/gtest.h>

#include <vector>

#include "number/number_format.h"

namespace assay {
namespace {

struct Shape2 {
    std::int64_t out, in;
};

std::vector<Shape2> linears() {
    const std::vector<Shape2> layer = {{256, 256}, {64, 256},  {64, 256}, {256, 256},
                                       {384, 256}, {384, 256}, {256, 384}};
    std::vector<Shape2> all = layer;
    all.insert(all.end(), layer.begin(), layer.end());
    return all;
}

struct Sizes {
    std::int64_t codes = 0, scales = 0, zeros = 0, all = 0;  // bytes
};

Sizes sizes_of(const char* format) {
    Sizes sizes;
    for (const Shape2& s : linears()) {
        const FormatSize size = storage_size(parse_number_format(format), s.out, s.in);
        EXPECT_EQ(size.code_bits % 8 + size.scale_bits % 8 + size.zero_bits % 8, 0);
        sizes.codes += size.code_bits / 8;
        sizes.scales += size.scale_bits / 8;
        sizes.zeros += size.zero_bits / 8;
        sizes.all += size.total_bytes();
    }
    return sizes;
}

TEST(StoredSizes, AreThoseOfCompressedTensors) {  // 0.19, llm-compressor 0.14, W4A16 and W4A16_ASYM
    const Sizes symmetric = sizes_of("int4-sym-g128(scale=bf16)"),
                asymmetric = sizes_of("int4-g128(scale=bf16)");
    EXPECT_EQ(symmetric.codes, 458752);  // weight_packed
    EXPECT_EQ(symmetric.scales, 14336);  // weight_scale
    EXPECT_EQ(symmetric.all, 458752 + 14336);
    EXPECT_EQ(asymmetric.zeros, 3584);  // weight_zero_point
    EXPECT_EQ(asymmetric.all, 458752 + 14336 + 3584);
}

TEST(StoredSizes, AreThoseOfGptqAndAwq) {  // GPTQModel 7.7, AutoAWQ 0.2.9: qweight, scales, qzeros
    const Sizes four_bits = sizes_of("int4-g128");
    EXPECT_EQ(four_bits.codes, 458752);
    EXPECT_EQ(four_bits.scales, 14336);
    EXPECT_EQ(four_bits.zeros, 3584);
    EXPECT_EQ(sizes_of("int4-g32").all, 458752 + 57344 + 14336);
    EXPECT_EQ(sizes_of("int8-g128").all, 917504 + 14336 + 7168);
}

TEST(StoredSizes, AreThoseOfGgufBlocks) {  // Q4_0: 18 bytes, Q8_0: 34 bytes for 32 weights
    std::int64_t weights = 0;
    for (const Shape2& s : linears()) weights += s.out * s.in;
    EXPECT_EQ(sizes_of("int4-sym-g32").all, weights / 32 * 18);
    EXPECT_EQ(sizes_of("int8-sym-g32").all, weights / 32 * 34);
}

}  // namespace
}  // namespace assay
