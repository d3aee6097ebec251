// The two scales of NVFP4.
#include "number/nvfp4.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "number/float_test.h"
#include "tensor/float8.h"

namespace assay {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

constexpr float kSmallestScale = 0x1.0p-9f;

// Two rows of one group each: the first sets the global scale, the second has its own.
Matrix<float> two_groups(float first, float second) {
    Matrix<float> w(2, 4);
    w.row(0)[1] = -first;
    w.row(1)[0] = second;
    w.row(1)[2] = -second / 3;
    return w;
}

TEST(Nvfp4, MapsTheLargestWeightOfTheMatrixToTheEndOfBothScales) {
    const FloatEncoding encoding = encode(two_groups(2, 1), "nvfp4");
    EXPECT_EQ(encoding.global_scale, 448.0f * 6 / 2);
    EXPECT_THAT(encoding.scales.values(), ElementsAre(448, 224));
    EXPECT_THAT(encoding.codes.row(0), ElementsAre(0, 15, 0, 0));
    EXPECT_THAT(round_trip(two_groups(2, 1), "nvfp4").row(0), ElementsAre(0, -2, 0, 0));
}

TEST(Nvfp4, StoresScalesInE4m3) {
    const Matrix<float> w = random_matrix(6, 100, 4);
    const FloatEncoding encoding = encode(w, "nvfp4");
    EXPECT_EQ(encoding.scales.cols(), 7);  // six groups of 16, one of 4
    float largest = 0;
    for (const float x : w.values()) largest = std::max(largest, std::abs(x));
    EXPECT_EQ(encoding.global_scale, 2688.0f * (1 / largest));
    for (std::int64_t r = 0; r < w.rows(); ++r) {
        for (std::int64_t g = 0; g < 7; ++g) {
            float group = 0;
            for (std::int64_t c = 16 * g; c < std::min<std::int64_t>(100, 16 * g + 16); ++c)
                group = std::max(group, std::abs(w.view()(r, c)));
            EXPECT_EQ(encoding.scales.view()(r, g),
                      f8e4m3_to_f32(f32_to_f8e4m3(encoding.global_scale * (group / 6))));
        }
    }
}

TEST(Nvfp4, KeepsGroupsWhoseScaleWouldRoundToZero) {
    const Matrix<float> w = two_groups(2688, 6 * 0x1.0p-11f);  // global scale 1, group scale 2^-11
    const FloatEncoding encoding = encode(w, "nvfp4");
    EXPECT_EQ(encoding.scales.row(1)[0], kSmallestScale);
    EXPECT_EQ(round_trip(w, "nvfp4").row(1)[0], 1.5f * kSmallestScale);  // not lost
}

TEST(Nvfp4, LosesGroupsFarBelowTheSmallestScale) {
    const Matrix<float> values = round_trip(two_groups(2688, 1e-5f), "nvfp4");
    EXPECT_THAT(values.row(1), Each(0.0f));
}

TEST(Nvfp4, HasGlobalScaleOneForZeros) {
    const FloatEncoding encoding = encode(Matrix<float>(3, 40), "nvfp4");
    EXPECT_EQ(encoding.global_scale, 1);
    EXPECT_THAT(encoding.scales.values(), Each(0.0f));
    EXPECT_THAT(encoding.codes.values(), Each(0));
}

TEST(Nvfp4, KeepsMatricesOfTinyWeights) {
    for (const float tiny : {1e-36f, 1e-38f}) {
        const Matrix<float> w = two_groups(tiny, tiny / 2), values = round_trip(w, "nvfp4");
        EXPECT_TRUE(std::isfinite(encode(w, "nvfp4").global_scale));
        EXPECT_NEAR(values.row(0)[1] / -tiny, 1, 0.2) << tiny;
        EXPECT_NEAR(values.row(1)[0] / (tiny / 2), 1, 0.3) << tiny;
    }
}

// Its reciprocal is a rounded subnormal, and the way back overflows.
TEST(Nvfp4, RefusesTheLargestF32) {
    EXPECT_THAT([] { encode(two_groups(std::numeric_limits<float>::max(), 1), "nvfp4"); },
                ::testing::ThrowsMessage<NumericError>(::testing::HasSubstr("row 0, column 0")));
}

}  // namespace
}  // namespace assay
