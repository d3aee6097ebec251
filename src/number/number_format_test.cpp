// Names and exact sizes of number formats.
#include "number/number_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"

namespace assay {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(NumberFormat, ParsesEveryPartOfIntegers) {
    EXPECT_EQ(parse_number_format("int4-g128"), NumberFormat(IntFormat{}));
    EXPECT_EQ(parse_number_format("int4-sym-g64"),
              NumberFormat(IntFormat{.bits = 4, .symmetric = true, .tile = group_tile(64)}));
    EXPECT_EQ(parse_number_format("int8-channel"), NumberFormat(IntFormat{.bits = 8, .tile = kChannelTile}));
    EXPECT_EQ(parse_number_format("int3-sym-tensor"),
              NumberFormat(IntFormat{.bits = 3, .symmetric = true, .tile = kTensorTile}));
    EXPECT_EQ(parse_number_format("int2-g1(scale=f32)"),
              NumberFormat(IntFormat{.bits = 2, .tile = group_tile(1), .scale = ScaleType::kF32}));
    EXPECT_EQ(
        parse_number_format("int8-sym-b128x64(scale=bf16)"),
        NumberFormat(IntFormat{.bits = 8, .symmetric = true, .tile = {128, 64}, .scale = ScaleType::kBf16}));
}

TEST(NumberFormat, ParsesEveryPartOfSmallFloats) {
    EXPECT_EQ(parse_number_format("fp8-e4m3"), NumberFormat(Fp8Format{}));
    EXPECT_EQ(parse_number_format("fp8-e5m2-tensor"),
              NumberFormat(Fp8Format{.element = FloatElement::kE5m2, .tile = kTensorTile}));
    EXPECT_EQ(parse_number_format("fp8-e4m3-b128x128(scale=f32)"),
              NumberFormat(Fp8Format{.tile = {128, 128}, .scale = ScaleType::kF32}));
    EXPECT_EQ(parse_number_format("fp8-e4m3(scale=f16)"), NumberFormat(Fp8Format{.scale = ScaleType::kF16}));
    EXPECT_EQ(parse_number_format("mxfp4"), NumberFormat(MxFormat{}));
    EXPECT_EQ(parse_number_format("mxfp8-e4m3"), NumberFormat(MxFormat{.element = FloatElement::kE4m3}));
    EXPECT_EQ(parse_number_format("mxfp8-e5m2"), NumberFormat(MxFormat{.element = FloatElement::kE5m2}));
    EXPECT_EQ(parse_number_format("nvfp4"), NumberFormat(Nvfp4Format{}));
}

TEST(NumberFormat, PrintsWhatItParses) {
    for (const char* text : {"int4-g128",
                             "int4-sym-g64",
                             "int8-channel",
                             "int3-sym-tensor",
                             "int4-g64(scale=f32)",
                             "int2-sym-channel(scale=bf16)",
                             "int5-g48",
                             "int6-tensor",
                             "int7-g9223372036854775807",
                             "int8-b2x64",
                             "fp8-e4m3",
                             "fp8-e5m2",
                             "fp8-e4m3-tensor",
                             "fp8-e4m3-g128",
                             "fp8-e5m2-b128x128",
                             "fp8-e4m3(scale=f32)",
                             "fp8-e5m2-tensor(scale=f16)",
                             "mxfp4",
                             "mxfp8-e4m3",
                             "mxfp8-e5m2",
                             "nvfp4"}) {
        EXPECT_EQ(to_string(parse_number_format(text)), text);
    }
}

TEST(NumberFormat, PrintsTheShortestOfSeveralTexts) {
    EXPECT_EQ(to_string(parse_number_format("int4-g32(scale=f16)")), "int4-g32");
    EXPECT_EQ(to_string(parse_number_format("int4-b1x32")), "int4-g32");
    EXPECT_EQ(to_string(parse_number_format("fp8-e4m3-channel(scale=bf16)")), "fp8-e4m3");
}

void expect_rejected(const char* text, const char* reason) {
    EXPECT_THAT([&] { parse_number_format(text); }, ThrowsMessage<InvalidArgument>(HasSubstr(reason)))
        << text;
    EXPECT_THAT([&] { parse_number_format(text); }, ThrowsMessage<InvalidArgument>(HasSubstr("int8-channel")))
        << text;
}

TEST(NumberFormat, RejectsOneBit) {
    expect_rejected("int1-g128", "2 to 8");
}
TEST(NumberFormat, RejectsNineBits) {
    expect_rejected("int9-g128", "2 to 8");
}
TEST(NumberFormat, RejectsLeadingZeroInBits) {
    expect_rejected("int04-g128", "2 to 8");
}
TEST(NumberFormat, RejectsBitsBeyondInt64) {
    expect_rejected("int99999999999999999999-g128", "2 to 8");
}
TEST(NumberFormat, RejectsMissingBits) {
    expect_rejected("int-g128", "2 to 8");
}
TEST(NumberFormat, RejectsEmptyText) {
    expect_rejected("", "'int' and the bits");
}
TEST(NumberFormat, RejectsUnknownName) {
    expect_rejected("none", "'int' and the bits");
}
TEST(NumberFormat, RejectsUpperCase) {
    expect_rejected("INT4-g128", "'int' and the bits");
}
TEST(NumberFormat, RejectsMissingGranularity) {
    expect_rejected("int4", "are expected");
}
TEST(NumberFormat, RejectsMissingGranularityAfterSym) {
    expect_rejected("int4-sym", "are expected");
}
TEST(NumberFormat, RejectsUnknownGranularity) {
    expect_rejected("int4-row", "are expected");
}
TEST(NumberFormat, RejectsSymAfterGroup) {
    expect_rejected("int4-g64-sym", "(scale=f16)");
}
TEST(NumberFormat, RejectsGroupOfZero) {
    expect_rejected("int4-g0", "positive number of columns");
}
TEST(NumberFormat, RejectsNegativeGroup) {
    expect_rejected("int4-g-1", "positive number of columns");
}
TEST(NumberFormat, RejectsMissingGroupSize) {
    expect_rejected("int4-g", "positive number of columns");
}
TEST(NumberFormat, RejectsGroupBeyondInt64) {
    expect_rejected("int4-g9223372036854775808", "positive number of columns");
}
TEST(NumberFormat, RejectsABlockWithoutColumns) {
    expect_rejected("fp8-e4m3-b128", "ROWSxCOLUMNS");
    expect_rejected("fp8-e4m3-b128x", "ROWSxCOLUMNS");
    expect_rejected("fp8-e4m3-b128x0", "ROWSxCOLUMNS");
}
TEST(NumberFormat, RejectsABlockWithoutRows) {
    expect_rejected("fp8-e4m3-b0x128", "ROWSxCOLUMNS");
    expect_rejected("fp8-e4m3-bx128", "ROWSxCOLUMNS");
}
TEST(NumberFormat, RejectsUnknownScaleType) {
    expect_rejected("int4-g64(scale=f8)", "(scale=f32)");
    expect_rejected("fp8-e4m3(scale=f64)", "(scale=f32)");
}
TEST(NumberFormat, RejectsUnclosedOption) {
    expect_rejected("int4-g64(scale=f32", "(scale=f32)");
}
TEST(NumberFormat, RejectsTrailingText) {
    expect_rejected("int4-g64(scale=f32) ", "(scale=f32)");
}
TEST(NumberFormat, RejectsFp8WithoutItsElement) {
    expect_rejected("fp8", "'-e4m3' or '-e5m2'");
    expect_rejected("fp8-channel", "'-e4m3' or '-e5m2'");
}
TEST(NumberFormat, RejectsWhatFollowsAnFp8Element) {
    expect_rejected("fp8-e4m3fn", "are expected");
    expect_rejected("fp8-e4m3-sym", "are expected");
}
TEST(NumberFormat, RejectsUnknownMxElements) {
    expect_rejected("mxfp6", "mxfp8-e4m3");
    expect_rejected("mxfp8", "mxfp8-e4m3");
    expect_rejected("mx", "mxfp8-e4m3");
}
TEST(NumberFormat, RejectsOptionsOfMxFormats) {
    expect_rejected("mxfp4-g16", "groups of 32");
    expect_rejected("mxfp4(scale=f32)", "groups of 32");
}
TEST(NumberFormat, RejectsOptionsOfNvfp4) {
    expect_rejected("nvfp4-g32", "groups of 16");
}

TEST(NumberFormat, RefusesImpossibleFormatsMadeByHand) {
    EXPECT_THROW(check_format(IntFormat{.bits = 1}), InvalidArgument);
    EXPECT_THROW(check_format(IntFormat{.tile = group_tile(-1)}), InvalidArgument);
    EXPECT_THROW(check_format(IntFormat{.tile = {0, 64}}), InvalidArgument);
    EXPECT_THROW(check_format(IntFormat{.tile = {2, 0}}), InvalidArgument);
    EXPECT_THROW(check_format(Fp8Format{.element = FloatElement::kE2m1}), InvalidArgument);
    EXPECT_THROW(check_format(Fp8Format{.tile = {-1, -1}}), InvalidArgument);
    EXPECT_THROW(to_string(NumberFormat(IntFormat{.bits = 9})), InvalidArgument);
    EXPECT_THROW(storage_size(IntFormat{}, -1, 4), InvalidArgument);
    EXPECT_THROW(storage_size(MxFormat{}, 4, -1), InvalidArgument);
}

double bits(const char* format, std::int64_t out, std::int64_t in) {
    return storage_size(parse_number_format(format), out, in).effective_bits();
}

TEST(StorageSize, CountsScalesAndZeroPointsOfIntegers) {
    EXPECT_EQ(bits("int4-g128", 512, 1024), 4.15625);
    EXPECT_EQ(bits("int4-g32", 512, 1024), 4.625);
    EXPECT_EQ(bits("int4-sym-g128", 512, 1024), 4.125);
    EXPECT_EQ(bits("int4-g128(scale=f32)", 512, 1024), 4.28125);
    EXPECT_EQ(bits("int4-g128(scale=bf16)", 512, 1024), 4.15625);
    EXPECT_EQ(bits("int4-channel", 512, 1024), 4 + 20.0 / 1024);
    EXPECT_EQ(bits("int8-sym-tensor", 512, 1024), 8 + 16.0 / (512 * 1024));
    EXPECT_EQ(bits("int8-sym-b128x128", 512, 1024), 8 + 16.0 / (128 * 128));
}

TEST(StorageSize, CountsTheScalesOfSmallFloats) {
    EXPECT_EQ(bits("fp8-e4m3", 512, 1024), 8 + 16.0 / 1024);
    EXPECT_EQ(bits("fp8-e5m2-tensor", 512, 1024), 8 + 16.0 / (512 * 1024));
    EXPECT_EQ(bits("fp8-e4m3-b128x128(scale=f32)", 512, 1024), 8 + 32.0 / (128 * 128));
    EXPECT_EQ(bits("mxfp4", 512, 1024), 4.25);
    EXPECT_EQ(bits("mxfp8-e4m3", 512, 1024), 8.25);
    EXPECT_EQ(bits("nvfp4", 512, 1024), 4.5 + 32.0 / (512 * 1024));
}

TEST(StorageSize, CountsARaggedGroupAsAGroup) {
    const FormatSize size = storage_size(parse_number_format("int3-g64"), 10, 65);
    EXPECT_EQ(size.elements, 650);
    EXPECT_EQ(size.code_bits, 1950);
    EXPECT_EQ(size.scale_bits, 10 * 2 * 16);
    EXPECT_EQ(size.zero_bits, 10 * 2 * 3);
    EXPECT_EQ(size.total_bytes(), (1950 + 320 + 60 + 7) / 8);
    EXPECT_EQ(storage_size(Nvfp4Format{}, 10, 65).scale_bits, 10 * 5 * 8 + 32);
    EXPECT_EQ(storage_size(MxFormat{}, 10, 65).total_bits(), 650 * 4 + 10 * 3 * 8);
}

TEST(StorageSize, CountsARaggedBlockAsABlock) {
    EXPECT_EQ(storage_size(parse_number_format("fp8-e4m3-b128x128"), 129, 300).scale_bits, 2 * 3 * 16);
}

TEST(StorageSize, TakesATileLargerThanTheMatrixAsOneTile) {
    EXPECT_EQ(bits("int4-g128", 3, 100), bits("int4-channel", 3, 100));
    EXPECT_EQ(bits("fp8-e4m3-b128x128", 3, 100), bits("fp8-e4m3-tensor", 3, 100));
}

TEST(StorageSize, IsZeroWithoutElements) {
    const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
    for (const char* text : {"int4-g128", "int4-channel", "int4-tensor", "fp8-e4m3", "mxfp4", "nvfp4"}) {
        const NumberFormat format = parse_number_format(text);
        EXPECT_EQ(storage_size(format, 0, huge).total_bits(), 0);
        EXPECT_EQ(storage_size(format, huge, 0).total_bits(), 0);
        EXPECT_EQ(storage_size(format, huge, 0).effective_bits(), 0);
    }
}

}  // namespace
}  // namespace assay
