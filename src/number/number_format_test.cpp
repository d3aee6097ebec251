#include "number/number_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"

namespace assay {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(NumberFormat, ParsesEveryPart) {
    EXPECT_EQ(parse_number_format("int4-g128"), NumberFormat{});
    EXPECT_EQ(parse_number_format("int4-sym-g64"),
              (NumberFormat{.bits = 4, .symmetric = true, .group_size = 64}));
    EXPECT_EQ(parse_number_format("int8-channel"),
              (NumberFormat{.bits = 8, .granularity = Granularity::kChannel, .group_size = 0}));
    EXPECT_EQ(
        parse_number_format("int3-sym-tensor"),
        (NumberFormat{.bits = 3, .symmetric = true, .granularity = Granularity::kTensor, .group_size = 0}));
    EXPECT_EQ(parse_number_format("int2-g1(scale=f32)"),
              (NumberFormat{.bits = 2, .group_size = 1, .scale = ScaleType::kF32}));
}

TEST(NumberFormat, PrintsWhatItParses) {
    for (const char* text :
         {"int4-g128", "int4-sym-g64", "int8-channel", "int3-sym-tensor", "int4-g64(scale=f32)",
          "int2-sym-channel(scale=f32)", "int5-g48", "int6-tensor", "int7-g9223372036854775807"}) {
        EXPECT_EQ(to_string(parse_number_format(text)), text);
    }
    EXPECT_EQ(to_string(parse_number_format("int4-g32(scale=f16)")), "int4-g32");
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
TEST(NumberFormat, RejectsUnknownScaleType) {
    expect_rejected("int4-g64(scale=bf16)", "(scale=f32)");
}
TEST(NumberFormat, RejectsUnclosedOption) {
    expect_rejected("int4-g64(scale=f32", "(scale=f32)");
}
TEST(NumberFormat, RejectsTrailingText) {
    expect_rejected("int4-g64(scale=f32) ", "(scale=f32)");
}

TEST(NumberFormat, RefusesImpossibleFormatsMadeByHand) {
    EXPECT_THROW(check_number_format({.bits = 1}), InvalidArgument);
    EXPECT_THROW(check_number_format({.group_size = 0}), InvalidArgument);
    EXPECT_THROW(check_number_format({.granularity = Granularity::kChannel, .group_size = 64}),
                 InvalidArgument);
    EXPECT_THROW(to_string(NumberFormat{.bits = 9}), InvalidArgument);
    EXPECT_THROW(storage_size({}, -1, 4), InvalidArgument);
}

double bits(const char* format, std::int64_t out, std::int64_t in) {
    return storage_size(parse_number_format(format), out, in).effective_bits();
}

TEST(StorageSize, CountsScalesAndZeroPoints) {
    EXPECT_EQ(bits("int4-g128", 512, 1024), 4.15625);
    EXPECT_EQ(bits("int4-g32", 512, 1024), 4.625);
    EXPECT_EQ(bits("int4-sym-g128", 512, 1024), 4.125);
    EXPECT_EQ(bits("int4-g128(scale=f32)", 512, 1024), 4.28125);
    EXPECT_EQ(bits("int4-channel", 512, 1024), 4 + 20.0 / 1024);
    EXPECT_EQ(bits("int8-sym-tensor", 512, 1024), 8 + 16.0 / (512 * 1024));
}

TEST(StorageSize, CountsARaggedGroupAsAGroup) {
    const FormatSize size = storage_size(parse_number_format("int3-g64"), 10, 65);
    EXPECT_EQ(size.elements, 650);
    EXPECT_EQ(size.code_bits, 1950);
    EXPECT_EQ(size.scale_bits, 10 * 2 * 16);
    EXPECT_EQ(size.zero_bits, 10 * 2 * 3);
    EXPECT_EQ(size.total_bytes(), (1950 + 320 + 60 + 7) / 8);
}

TEST(StorageSize, TakesAGroupWiderThanTheRowAsOneGroup) {
    EXPECT_EQ(bits("int4-g128", 3, 100), bits("int4-channel", 3, 100));
}

TEST(StorageSize, IsZeroWithoutElements) {
    const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
    for (const char* text : {"int4-g128", "int4-channel", "int4-tensor"}) {
        const NumberFormat format = parse_number_format(text);
        EXPECT_EQ(storage_size(format, 0, huge).total_bits(), 0);
        EXPECT_EQ(storage_size(format, huge, 0).total_bits(), 0);
        EXPECT_EQ(storage_size(format, huge, 0).effective_bits(), 0);
    }
}

}  // namespace
}  // namespace assay
