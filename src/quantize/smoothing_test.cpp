#include "quantize/smoothing.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"

namespace assay {
namespace {

TEST(Smoothing, ScalesAreThoseOfTheEquation) {
    const std::vector<float> x{16, 0.25f, 3}, w{0.5f, 2, 0.1f};
    for (const double alpha : {0.0, 0.25, 0.5, 0.8, 1.0}) {
        const std::vector<float> s = smoothing_scales(x, w, alpha);
        for (std::size_t c = 0; c < x.size(); ++c)
            EXPECT_FLOAT_EQ(
                s[c], static_cast<float>(std::pow(double{x[c]}, alpha) * std::pow(double{w[c]}, alpha - 1)));
    }
}

TEST(Smoothing, AlphaZeroEvensTheWeightsAndAlphaOneTheInputs) {
    const std::vector<float> x{16, 0.25f, 3}, w{0.5f, 2, 0.1f};
    const std::vector<float> none = smoothing_scales(x, w, 0), all = smoothing_scales(x, w, 1);
    for (std::size_t c = 0; c < x.size(); ++c) {
        EXPECT_FLOAT_EQ(w[c] * none[c], 1.0f);
        EXPECT_FLOAT_EQ(x[c] / all[c], 1.0f);
    }
}

TEST(Smoothing, DeadChannelsStayAndChannelsWithoutWeightsAreMadeSmall) {
    const std::vector<float> x{0, 8, 2}, w{1, 0, 1};
    const std::vector<float> s = smoothing_scales(x, w, 0.5);
    EXPECT_EQ(s[0], 1.0f);
    EXPECT_FLOAT_EQ(s[1], static_cast<float>(std::sqrt(8 / 1e-5)));
    EXPECT_FLOAT_EQ(s[2], std::sqrt(2.0f));
    const std::vector<float> zero(3, 0.0f);
    EXPECT_EQ(smoothing_scales(x, zero, 0.5), std::vector<float>(3, 1.0f));
    EXPECT_EQ(smoothing_scales(zero, w, 0.5), std::vector<float>(3, 1.0f));
    EXPECT_TRUE(smoothing_scales({}, {}, 0.5).empty());
}

TEST(Smoothing, ScalesOfExtremeNumbersArePositiveAndFinite) {
    const std::vector<float> x{1e-40f, 3e38f}, w{3e38f, 1e-40f};
    for (const double alpha : {0.0, 0.5, 1.0}) {
        for (const float s : smoothing_scales(x, w, alpha)) EXPECT_TRUE(std::isfinite(s) && s > 0);
    }
}

TEST(Smoothing, RefusesWhatIsNoMagnitudeOrShare) {
    const std::vector<float> good{1, 2}, negative{1, -1}, nan{1, std::numeric_limits<float>::quiet_NaN()},
        infinite{1, std::numeric_limits<float>::infinity()}, other{1};
    for (const auto* bad : {&negative, &nan, &infinite, &other}) {
        EXPECT_THROW(smoothing_scales(*bad, good, 0.5), InvalidArgument);
        EXPECT_THROW(smoothing_scales(good, *bad, 0.5), InvalidArgument);
    }
    for (const double alpha : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()})
        EXPECT_THROW(smoothing_scales(good, good, alpha), InvalidArgument);
}

TEST(Smoothing, DifficultyIsTheLargestChannelOverTheMeanOne) {
    EXPECT_DOUBLE_EQ(max_over_mean(std::vector<float>{1, 1, 1, 5}), 2.5);
    EXPECT_DOUBLE_EQ(max_over_mean(std::vector<float>{3, 3}), 1);
    EXPECT_DOUBLE_EQ(max_over_mean(std::vector<float>{0, 0}), 1);
    EXPECT_DOUBLE_EQ(max_over_mean({}), 1);
}

}  // namespace
}  // namespace assay
