// Tests of number formatting and of text made safe.
#include "report/format.h"

#include <gtest/gtest.h>

#include <limits>

namespace assay {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(Format, KeepsSignificantDigits) {
    EXPECT_EQ(format_significant(0.58912), "0.589");
    EXPECT_EQ(format_significant(0.0123456), "0.0123");
    EXPECT_EQ(format_significant(14.2526, 5), "14.253");
    EXPECT_EQ(format_significant(1234.5), "1234");
    EXPECT_EQ(format_significant(9.996), "10.0");
    EXPECT_EQ(format_significant(-0.5), "-0.500");
    EXPECT_EQ(format_significant(0), "0");
}

TEST(Format, TinyAndHugeNumbersAreScientific) {
    EXPECT_EQ(format_significant(5.4737e-5), "5.47e-05");
    EXPECT_EQ(format_significant(3.2e7), "3.20e+07");
}

TEST(Format, WhatIsNotFiniteIsADash) {
    EXPECT_EQ(format_significant(kNan), kNoNumber);
    EXPECT_EQ(format_signed(-kInfinity), kNoNumber);
    EXPECT_EQ(format_percent(kInfinity), kNoNumber);
    EXPECT_EQ(format_plus_minus(kNan, Interval{0, 1}), kNoNumber);
    EXPECT_EQ(format_duration(kNan), kNoNumber);
}

TEST(Format, SignedShowsPlus) {
    EXPECT_EQ(format_signed(0.42), "+0.420");
    EXPECT_EQ(format_signed(-0.42), "-0.420");
    EXPECT_EQ(format_signed(0), "0");
}

TEST(Format, PlusMinusRoundsValueAndHalfWidthAlike) {
    EXPECT_EQ(format_plus_minus(0.58912, Interval{0.548, 0.630}), "0.589 ± 0.041");
    EXPECT_EQ(format_plus_minus(25.512, Interval{24.0, 27.2}), "25.5 ± 1.6");
    EXPECT_EQ(format_plus_minus(5.4737e-5, Interval{5.163e-5, 5.783e-5}), "(5.47 ± 0.31)e-05");
    EXPECT_EQ(format_plus_minus(0.0002, Interval{-0.5, 0.5}), "0.00 ± 0.50");
}

TEST(Format, PlusMinusWithoutAnIntervalIsTheValue) {
    EXPECT_EQ(format_plus_minus(0.58912, std::nullopt), "0.589");
    EXPECT_EQ(format_plus_minus(0.5, Interval{0.5, 0.5}), "0.500");
}

TEST(Format, Intervals) {
    EXPECT_EQ(format_interval(Interval{-0.1, 0.25}), "[-0.100, 0.250]");
    EXPECT_EQ(format_interval(std::nullopt), kNoNumber);
}

TEST(Format, Percents) {
    EXPECT_EQ(format_percent(0.6234), "62.3 %");
    EXPECT_EQ(format_percent(0), "0.0 %");
    EXPECT_EQ(format_percent(0.00042), "0.042 %");
    EXPECT_EQ(format_percent(-0.127), "-12.7 %");
}

TEST(Format, Counts) {
    EXPECT_EQ(format_count(0), "0");
    EXPECT_EQ(format_count(999), "999");
    EXPECT_EQ(format_count(134515008), "134,515,008");
    EXPECT_EQ(format_count(-1000), "-1,000");
    EXPECT_EQ(format_count(-100), "-100");
    EXPECT_EQ(format_count(std::numeric_limits<std::int64_t>::min()), "-9,223,372,036,854,775,808");
}

TEST(Format, Bytes) {
    EXPECT_EQ(format_bytes(17), "17 B");
    EXPECT_EQ(format_bytes(1024), "1.0 KiB");
    EXPECT_EQ(format_bytes(269060552), "256.6 MiB");
    EXPECT_EQ(format_bytes(std::numeric_limits<std::int64_t>::max()), "8192.0 PiB");
}

TEST(Format, Durations) {
    EXPECT_EQ(format_duration(0.85), "850 ms");
    EXPECT_EQ(format_duration(12.34), "12.3 s");
    EXPECT_EQ(format_duration(59.96), "1 min 00 s");
    EXPECT_EQ(format_duration(245), "4 min 05 s");
    EXPECT_EQ(format_duration(7620), "2 h 07 min");
}

TEST(Format, ControlCharactersCannotReachATerminal) {
    EXPECT_EQ(safe_text("a\x1b[2Jb\n"), "a\xef\xbf\xbd[2Jb\xef\xbf\xbd");
    EXPECT_EQ(safe_text("\xc2\x9b"), "\xef\xbf\xbd");  // the one-byte CSI
    EXPECT_EQ(safe_text("é 日 😀"), "é 日 😀");
    EXPECT_EQ(safe_text("\xc2\xa0"), "\xc2\xa0");  // no control: a no-break space
}

TEST(Format, BrokenUtf8IsReplacedByteByByte) {
    EXPECT_EQ(safe_text("a\xff"), "a\xef\xbf\xbd");
    EXPECT_EQ(safe_text("\xe6\x97"), "\xef\xbf\xbd\xef\xbf\xbd");                  // cut short
    EXPECT_EQ(safe_text("\xc0\xaf"), "\xef\xbf\xbd\xef\xbf\xbd");                  // overlong
    EXPECT_EQ(safe_text("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");  // surrogate
}

}  // namespace
}  // namespace assay
