#include "stats/rank.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "base/error.h"
#include "base/rng.h"

namespace assay {
namespace {

TEST(AverageRanks, ShareTiedRanks) {
    EXPECT_EQ(average_ranks(std::array{10.0, 30.0, 20.0, 20.0, 5.0, 20.0}),
              (std::vector<double>{2, 6, 4, 4, 1, 4}));
    EXPECT_EQ(average_ranks(std::array{0.0, -0.0}), (std::vector<double>{1.5, 1.5}));
    EXPECT_TRUE(average_ranks({}).empty());
}

// Rank by counting: 1 + (number smaller) + (number equal - 1) / 2.
TEST(AverageRanks, EqualCounting) {
    Rng rng(3);
    std::vector<double> values(257);
    for (double& v : values) v = static_cast<double>(rng.below(60));
    const std::vector<double> ranks = average_ranks(values);
    for (std::size_t i = 0; i < values.size(); ++i) {
        double smaller = 0, equal = 0;
        for (const double other : values) smaller += other < values[i], equal += other == values[i];
        ASSERT_EQ(ranks[i], 1 + smaller + (equal - 1) / 2);
    }
}

// Means 2.5 and 5: Σ ab = 17, Σ a² = 5, Σ b² = 62.
TEST(Pearson, ByHand) {
    EXPECT_NEAR(pearson(std::array{1.0, 2.0, 3.0, 4.0}, std::array{1.0, 2.0, 6.0, 11.0}).value(),
                17 / std::sqrt(5 * 62.0), 1e-15);
}

TEST(Pearson, OfAListWithItselfIsExactlyOne) {
    Rng rng(4);
    std::vector<double> values(1001);
    for (double& v : values) v = 1e3 * rng.uniform();
    EXPECT_EQ(pearson(values, values), 1);
}

TEST(Pearson, IsUndefinedForFewerThanTwoPairsOrConstants) {
    EXPECT_FALSE(pearson({}, {}).has_value());
    EXPECT_FALSE(pearson(std::array{1.0}, std::array{2.0}).has_value());
    EXPECT_FALSE(pearson(std::array{0.1, 0.1, 0.1}, std::array{1.0, 2.0, 3.0}).has_value());
}

TEST(Pearson, RefusesNanInfinityAndDifferentLengths) {
    EXPECT_THROW(pearson(std::array{1.0, std::nan("")}, std::array{1.0, 2.0}), NumericError);
    EXPECT_THROW(pearson(std::array{1.0, 2.0}, std::array<double, 2>{INFINITY, 2.0}), NumericError);
    EXPECT_THROW(pearson(std::array{1.0, 2.0}, std::array{1.0}), InvalidArgument);
}

TEST(Spearman, IsOneForIncreasingAndMinusOneForDecreasing) {
    const std::array<double, 5> x{1, 2, 3, 4, 5}, up{1, 10, 100, 1e4, 1e300}, down{5, 4, 3, 2, -1e300};
    EXPECT_DOUBLE_EQ(spearman(x, up).value(), 1);
    EXPECT_DOUBLE_EQ(spearman(x, down).value(), -1);
}

// Ranks 1, 2.5, 2.5, 4, 6, 5 and 2, 1, 4.5, 4.5, 3, 6, both with Σ (r - 3.5)² = 17; the products sum to 8.25.
TEST(Spearman, CorrelatesAverageRanksWhereThereAreTies) {
    const std::array<double, 6> x{1, 2, 2, 3, 5, 4}, y{2, 1, 4, 4, 3, 6};
    EXPECT_NEAR(spearman(x, y).value(), 8.25 / 17, 1e-15);
}

// Without ties: 1 - 6 Σ d² / (n (n² - 1)).
TEST(Spearman, EqualsTheRankDifferenceFormulaWithoutTies) {
    Rng rng(5);
    std::vector<double> x(100), y(100);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = rng.uniform(), y[i] = x[i] + rng.uniform();
    const auto a = average_ranks(x), b = average_ranks(y);
    double d2 = 0;
    for (std::size_t i = 0; i < a.size(); ++i) d2 += (a[i] - b[i]) * (a[i] - b[i]);
    EXPECT_NEAR(spearman(x, y).value(), 1 - 6 * d2 / (100.0 * (100.0 * 100.0 - 1)), 1e-13);
}

TEST(Spearman, IsUndefinedForFewerThanTwoPairsOrConstants) {
    EXPECT_FALSE(spearman({}, {}).has_value());
    EXPECT_FALSE(spearman(std::array{1.0}, std::array{2.0}).has_value());
    EXPECT_FALSE(spearman(std::array{1.0, 1.0, 1.0}, std::array{1.0, 2.0, 3.0}).has_value());
}

TEST(Spearman, RefusesDifferentLengths) {
    EXPECT_THROW(spearman(std::array{1.0, 2.0}, std::array{1.0}), InvalidArgument);
}

TEST(Spearman, RefusesNan) {
    EXPECT_THROW(spearman(std::array{1.0, std::nan("")}, std::array{1.0, 2.0}), NumericError);
}

}  // namespace
}  // namespace assay
