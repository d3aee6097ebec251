// The shared exponents of MX formats.
#include "number/mx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "number/float_test.h"

namespace assay {
namespace {

using ::testing::ElementsAre;

float scale_for(float largest, std::string_view text) {
    return encode(row_matrix({largest / 3, -largest, 0}), text).scales.row(0)[0];
}

TEST(Mx, TakesTheExponentOfTheLargestMagnitude) {
    for (const float largest : {1.0f, 1.5f, 1.75f, 1.9999f}) {
        EXPECT_EQ(scale_for(largest, "mxfp4"), 0.25f) << largest;
        EXPECT_EQ(scale_for(largest, "mxfp8-e4m3"), 0x1.0p-8f) << largest;
        EXPECT_EQ(scale_for(largest, "mxfp8-e5m2"), 0x1.0p-15f) << largest;
    }
    EXPECT_EQ(scale_for(2.0f, "mxfp4"), 0.5f);
    EXPECT_EQ(scale_for(0.99999f, "mxfp4"), 0.125f);
}

TEST(Mx, SaturatesTheEndOfTheBinade) {
    // Scale 1 holds up to 6; 7 and 7.9 are of the same binade.
    EXPECT_THAT(round_trip(row_matrix({7.9f, -7, 6.1f, 5, 0.25f, 0.26f}), "mxfp4").row(0),
                ElementsAre(6, -6, 6, 4, 0, 0.5f));
}

TEST(Mx, GroupsThirtyTwoWeightsOfARow) {
    const FloatEncoding encoding = encode(random_matrix(3, 70, 1), "mxfp4");
    EXPECT_EQ(encoding.scales.rows(), 3);
    EXPECT_EQ(encoding.scales.cols(), 3);  // 32, 32 and 6 weights
    Matrix<float> w(1, 33);
    w.row(0)[31] = 4;
    w.row(0)[32] = 16;
    EXPECT_THAT(encode(w, "mxfp4").scales.row(0), ElementsAre(1, 4));
}

TEST(Mx, StopsAtTheSmallestScale) {
    EXPECT_EQ(scale_for(0x1.0p-125f, "mxfp4"), 0x1.0p-127f);
    EXPECT_EQ(scale_for(0x1.0p-126f, "mxfp4"), 0x1.0p-127f);
    EXPECT_EQ(scale_for(1e-45f, "mxfp4"), 0x1.0p-127f);
    EXPECT_EQ(encode(row_matrix({0, 0}), "mxfp4").scales.row(0)[0], 0x1.0p-127f);
    // Half a step is 2^-129: what is below it is lost, what is above is kept.
    EXPECT_THAT(round_trip(row_matrix({0x1.0p-128f, 0x1.0p-130f}), "mxfp4").row(0),
                ElementsAre(0x1.0p-128f, 0));
}

TEST(Mx, HoldsTheLargestExponent) {
    const float top = std::numeric_limits<float>::max();
    EXPECT_EQ(scale_for(top, "mxfp4"), 0x1.0p125f);
    EXPECT_EQ(round_trip(row_matrix({top}), "mxfp4").row(0)[0], 6 * 0x1.0p125f);
}

// Powers of two commute with every step of the encoding.
TEST(Mx, IsEquivariantUnderPowersOfTwo) {
    Matrix<float> w = random_matrix(5, 96, 3), expected = round_trip(w, "mxfp4");
    for (float& v : w.values()) v *= 8;
    for (float& v : expected.values()) v *= 8;
    EXPECT_TRUE(std::ranges::equal(round_trip(w, "mxfp4").values(), expected.values()));
}

}  // namespace
}  // namespace assay
