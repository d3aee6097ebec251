#include "stats/mean_interval.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "base/error.h"
#include "base/rng.h"

namespace assay {
namespace {

double gaussian(Rng& rng) {
    return std::sqrt(-2 * std::log(1 - rng.uniform())) * std::cos(2 * std::numbers::pi * rng.uniform());
}

// x̄ = 5, s² = 10, n = 4; t(0.975; 3) = 3.182446.
TEST(MeanInterval, ByHand) {
    const Interval interval = mean_interval(std::array{1.0, 4.0, 7.0, 8.0}).value();
    EXPECT_NEAR(interval.low, 5 - 3.182446 * std::sqrt(10.0 / 4), 1e-5);
    EXPECT_NEAR(interval.high, 5 + 3.182446 * std::sqrt(10.0 / 4), 1e-5);
}

TEST(MeanInterval, CoversTheTrueMeanAsOftenAsItSays) {
    for (const std::size_t n : {2u, 5u, 30u}) {
        int inside = 0;
        for (std::uint64_t trial = 0; trial < 10000; ++trial) {
            Rng rng(n, trial);
            std::vector<double> values(n);
            for (double& v : values) v = 0.3 + gaussian(rng);
            const Interval interval = mean_interval(values).value();
            inside += interval.low <= 0.3 && 0.3 <= interval.high;
        }
        EXPECT_NEAR(inside / 10000.0, 0.95, 0.01) << n;
    }
}

TEST(MeanInterval, OfEqualValuesIsExactlyThePoint) {
    EXPECT_EQ(mean_interval(std::array{0.1, 0.1, 0.1}), (Interval{0.1, 0.1}));
    EXPECT_EQ(mean_interval(std::array{0.0, 0.0}), (Interval{0, 0}));
}

TEST(MeanInterval, OfFewerThanTwoValuesIsNone) {
    EXPECT_EQ(mean_interval({}), std::nullopt);
    EXPECT_EQ(mean_interval(std::array{1.0}), std::nullopt);
}

TEST(MeanInterval, RefusesNanAndInfinity) {
    EXPECT_THROW(mean_interval(std::array{1.0, std::nan("")}), NumericError);
    EXPECT_THROW(mean_interval(std::array<double, 1>{INFINITY}), NumericError);
}

}  // namespace
}  // namespace assay
