#include "tensor/float16.h"

#include <gtest/gtest.h>

#include <cmath>

namespace assay {
namespace {

TEST(F16, EveryBitPatternSurvivesARoundTrip) {
    for (std::uint32_t b = 0; b < 0x10000u; ++b) {
        const auto bits = static_cast<std::uint16_t>(b);
        const float value = f16_to_f32(bits);
        if (std::isnan(value)) {
            EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(value))));
        } else {
            ASSERT_EQ(f32_to_f16(value), bits) << b;
        }
    }
}

// _Float16-free oracle: the value of a pattern by the definition of binary16.
TEST(F16, DecodesByTheDefinition) {
    for (std::uint32_t b = 0; b < 0x7c00u; ++b) {
        const int exponent = static_cast<int>(b >> 10);
        const double fraction = b & 0x3ffu;
        const double expected =
            exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
        ASSERT_EQ(static_cast<double>(f16_to_f32(static_cast<std::uint16_t>(b))), expected);
    }
}

TEST(F16, RoundsMidpointsToEven) {
    for (std::uint32_t b = 0; b < 0x7bffu; ++b) {
        const float low = f16_to_f32(static_cast<std::uint16_t>(b));
        const float high = f16_to_f32(static_cast<std::uint16_t>(b + 1));
        const float middle = (low + high) / 2;  // exact in f32
        const auto even = static_cast<std::uint16_t>(b % 2 == 0 ? b : b + 1);
        ASSERT_EQ(f32_to_f16(middle), even) << b;
        ASSERT_EQ(f32_to_f16(std::nextafter(middle, 1e9f)), b + 1);
        ASSERT_EQ(f32_to_f16(std::nextafter(middle, 0.0f)), b);
    }
}

TEST(F16, OverflowsToInfinityFrom65520) {
    EXPECT_EQ(f32_to_f16(65519.996f), 0x7bff);
    EXPECT_EQ(f32_to_f16(65520.0f), 0x7c00);
    EXPECT_EQ(f32_to_f16(-1e30f), 0xfc00);
}

TEST(Bf16, RoundsToNearestEvenAndKeepsNan) {
    EXPECT_EQ(f32_to_bf16(1.0f), 0x3f80);
    EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(0x3f808000u)), 0x3f80);  // tie to even
    EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(0x3f818000u)), 0x3f82);  // tie to even, upwards
    EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(0x3f808001u)), 0x3f81);
    EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(std::bit_cast<float>(0x7f800001u)))));
    EXPECT_EQ(f32_to_bf16(3.4e38f), 0x7f80);
}

}  // namespace
}  // namespace assay
