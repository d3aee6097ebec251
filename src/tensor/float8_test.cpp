#include "tensor/float8.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace assay {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

// One 8-bit float type: its conversions, and its definition in numbers.
struct Type {
    const char* name;
    float (*decode)(std::uint8_t);
    std::uint8_t (*encode)(float);
    int mantissa_bits, bias;
    std::uint8_t largest;  // code of the largest finite number
};

const Type kE4M3{"E4M3", f8e4m3_to_f32, f32_to_f8e4m3, 3, 7, 0x7e};
const Type kE5M2{"E5M2", f8e5m2_to_f32, f32_to_f8e5m2, 2, 15, 0x7b};

class Float8 : public testing::TestWithParam<Type> {};

TEST_P(Float8, EveryFiniteCodeDecodesByTheDefinitionAndSurvivesARoundTrip) {
    const Type& type = GetParam();
    for (int code = 0; code <= type.largest; ++code) {
        const int exponent = code >> type.mantissa_bits, unit = 1 << type.mantissa_bits;
        const double expected =
            exponent == 0 ? std::ldexp(code, 1 - type.bias - type.mantissa_bits)
                          : std::ldexp(unit + code % unit, exponent - type.bias - type.mantissa_bits);
        const auto positive = static_cast<std::uint8_t>(code),
                   negative = static_cast<std::uint8_t>(code | 128);
        ASSERT_EQ(static_cast<double>(type.decode(positive)), expected) << code;
        ASSERT_EQ(static_cast<double>(type.decode(negative)), -expected) << code;
        ASSERT_EQ(type.encode(type.decode(positive)), positive);
        ASSERT_EQ(type.encode(type.decode(negative)), negative);
    }
}

TEST_P(Float8, RoundsMidpointsToEvenAndTheirNeighboursToTheNearest) {
    const Type& type = GetParam();
    for (int code = 0; code < type.largest; ++code) {
        const auto low = static_cast<std::uint8_t>(code), high = static_cast<std::uint8_t>(code + 1);
        const float middle = (type.decode(low) + type.decode(high)) / 2;  // exact in f32
        ASSERT_EQ(type.encode(middle), code % 2 == 0 ? low : high) << code;
        ASSERT_EQ(type.encode(std::nextafter(middle, kInf)), high) << code;
        ASSERT_EQ(type.encode(std::nextafter(middle, 0.0f)), low) << code;
        ASSERT_EQ(type.encode(-middle), type.encode(middle) | 128) << code;
    }
}

TEST_P(Float8, SaturatesAtTheLargestFiniteNumber) {
    const Type& type = GetParam();
    const float largest = type.decode(type.largest);
    for (float value : {largest * 1.03f, largest * 1.5f, 3e38f, kInf}) {
        EXPECT_EQ(type.encode(value), type.largest) << value;
        EXPECT_EQ(type.encode(-value), type.largest | 128) << value;
    }
}

TEST_P(Float8, NanStaysNanWithItsSign) {
    const Type& type = GetParam();
    for (std::uint32_t bits : {0x7fc00000u, 0x7f800001u, 0x7fffffffu}) {
        EXPECT_EQ(type.encode(std::bit_cast<float>(bits)), 0x7f);
        EXPECT_EQ(type.encode(std::bit_cast<float>(bits | 0x80000000u)), 0xff);
    }
    EXPECT_TRUE(std::isnan(type.decode(0x7f)));
    EXPECT_TRUE(std::isnan(type.decode(0xff)));
}

TEST_P(Float8, TinyNumbersBecomeZeroOfTheirSign) {
    const Type& type = GetParam();
    for (float value : {0.0f, 1e-45f, type.decode(1) / 2}) {
        EXPECT_EQ(type.encode(value), 0x00) << value;
        EXPECT_EQ(type.encode(-value), 0x80) << value;
    }
}

INSTANTIATE_TEST_SUITE_P(Types, Float8, testing::Values(kE4M3, kE5M2),
                         [](const auto& test) { return test.param.name; });

TEST(F8E4M3, KnowsTheNumbersOfTheSpecification) {
    EXPECT_EQ(f8e4m3_to_f32(0x7e), kF8E4M3Max);
    EXPECT_EQ(f8e4m3_to_f32(0x38), 1.0f);
    EXPECT_EQ(f8e4m3_to_f32(0x01), 0x1.0p-9f);
}

TEST(F8E5M2, KnowsTheNumbersOfTheSpecificationAndInfinity) {
    EXPECT_EQ(f8e5m2_to_f32(0x7b), kF8E5M2Max);
    EXPECT_EQ(f8e5m2_to_f32(0x3c), 1.0f);
    EXPECT_EQ(f8e5m2_to_f32(0x01), 0x1.0p-16f);
    EXPECT_EQ(f8e5m2_to_f32(0x7c), kInf);
    EXPECT_EQ(f8e5m2_to_f32(0xfc), -kInf);
    for (int code : {0x7d, 0x7e, 0xfd, 0xfe})
        EXPECT_TRUE(std::isnan(f8e5m2_to_f32(static_cast<std::uint8_t>(code))));
}

TEST(F8E8M0, EveryCodeIsItsPowerOfTwo) {
    for (int code = 0; code < 255; ++code)
        ASSERT_EQ(f8e8m0_to_f32(static_cast<std::uint8_t>(code)), std::ldexp(1.0f, code - 127)) << code;
    EXPECT_TRUE(std::isnan(f8e8m0_to_f32(255)));
}

}  // namespace
}  // namespace assay
