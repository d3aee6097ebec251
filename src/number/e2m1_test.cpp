// E2M1 against its table of values.
#include "number/e2m1.h"

#include <gtest/gtest.h>

#include <limits>

namespace assay {
namespace {

TEST(E2m1, ComesBackFromEveryCode) {
    for (int code = 0; code < 16; ++code) {
        const float value = e2m1_to_f32(static_cast<std::uint8_t>(code));
        EXPECT_EQ(f32_to_e2m1(value), code);
        EXPECT_EQ(std::signbit(value), code >= 8);
    }
}

TEST(E2m1, HasTheValuesOfTheFormat) {
    const float values[] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
    for (int code = 0; code < 8; ++code) {
        EXPECT_EQ(e2m1_to_f32(static_cast<std::uint8_t>(code)), values[code]);
        EXPECT_EQ(e2m1_to_f32(static_cast<std::uint8_t>(code + 8)), -values[code]);
    }
}

TEST(E2m1, SendsTiesToTheEvenCode) {
    const float ties[][2] = {{0.25f, 0}, {0.75f, 1}, {1.25f, 1}, {1.75f, 2}, {2.5f, 2}, {3.5f, 4}, {5, 4}};
    for (const auto& [middle, rounded] : ties) {
        EXPECT_EQ(e2m1_to_f32(f32_to_e2m1(middle)), rounded) << middle;
        EXPECT_EQ(e2m1_to_f32(f32_to_e2m1(-middle)), -rounded) << middle;
    }
}

TEST(E2m1, IsNearestBesideEveryTie) {
    for (int code = 0; code < 7; ++code) {
        const float low = e2m1_to_f32(static_cast<std::uint8_t>(code)),
                    high = e2m1_to_f32(static_cast<std::uint8_t>(code + 1)), middle = (low + high) / 2;
        EXPECT_EQ(f32_to_e2m1(std::nextafter(middle, 0.0f)), code);
        EXPECT_EQ(f32_to_e2m1(std::nextafter(middle, 9.0f)), code + 1);
    }
}

TEST(E2m1, Saturates) {
    for (const float x : {6.5f, 7.0f, 1e30f, std::numeric_limits<float>::infinity()}) {
        EXPECT_EQ(f32_to_e2m1(x), 7);
        EXPECT_EQ(f32_to_e2m1(-x), 15);
    }
}

TEST(E2m1, KeepsTheSignOfWhatRoundsToZero) {
    EXPECT_EQ(f32_to_e2m1(-0.0f), 8);
    EXPECT_EQ(f32_to_e2m1(-0.1f), 8);
    EXPECT_EQ(f32_to_e2m1(std::numeric_limits<float>::denorm_min()), 0);
    EXPECT_TRUE(std::signbit(e2m1_to_f32(8)));
}

}  // namespace
}  // namespace assay
