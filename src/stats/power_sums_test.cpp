#include "stats/power_sums.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/rng.h"

namespace assay {
namespace {

PowerSums sums_of(const std::vector<double>& values) {
    PowerSums all;
    for (const double x : values) all.add({1, x, x * x, x * x * x, x * x * x * x});
    return all;
}

TEST(PowerSums, GiveTheMomentsOfASmallSet) {
    const PowerSums sums = sums_of({1, 2, 3, 4, 10});
    EXPECT_DOUBLE_EQ(sums.mean(), 4);
    EXPECT_DOUBLE_EQ(sums.std(), std::sqrt(10.0));
    EXPECT_DOUBLE_EQ(sums.kurtosis().value(), (81 + 16 + 1 + 0 + 1296) / 5.0 / 100);
}

TEST(PowerSums, OfTwoEqualHalvesHaveTheLeastKurtosis) {
    EXPECT_NEAR(sums_of({-3, 5, -3, 5}).kurtosis().value(), 1, 1e-13);
}

TEST(PowerSums, OfGaussianNumbersHaveKurtosisThreeWithAnyOffset) {
    Rng rng(4);
    std::vector<double> values;
    for (int i = 0; i < 200000; ++i)
        values.push_back(std::sqrt(-2 * std::log(1 - rng.uniform())) * std::cos(2 * M_PI * rng.uniform()));
    const PowerSums centred = sums_of(values);
    EXPECT_NEAR(centred.std(), 1, 0.01);
    EXPECT_NEAR(centred.kurtosis().value(), 3, 0.05);  // its standard error is sqrt(24 / n)
    for (double& x : values) x += 50;
    EXPECT_NEAR(sums_of(values).kurtosis().value(), centred.kurtosis().value(), 1e-6);
}

TEST(PowerSums, ConstantsAndNothingHaveNoSpread) {
    for (const double value : {0.0, 0.1, -1e6}) {
        const PowerSums sums = sums_of(std::vector<double>(1000, value));
        EXPECT_EQ(sums.std(), 0) << value;
        EXPECT_EQ(sums.kurtosis(), std::nullopt);
        EXPECT_NEAR(sums.mean(), value, 1e-13 * std::abs(value));
    }
    EXPECT_EQ(PowerSums{}.mean(), 0);
    EXPECT_EQ(PowerSums{}.std(), 0);
    EXPECT_EQ(PowerSums{}.kurtosis(), std::nullopt);
}

}  // namespace
}  // namespace assay
