#include "stats/quantile.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace assay {
namespace {

// numpy.quantile([3, 1, 4, 1, 5, 9, 2, 6], p)
TEST(Quantile, EqualsNumpyType7) {
    const std::array<double, 8> values{3, 1, 4, 1, 5, 9, 2, 6};
    EXPECT_DOUBLE_EQ(quantile(values, 0), 1);
    EXPECT_DOUBLE_EQ(quantile(values, 0.1), 1);
    EXPECT_DOUBLE_EQ(quantile(values, 0.25), 1.75);
    EXPECT_DOUBLE_EQ(quantile(values, 0.5), 3.5);
    EXPECT_DOUBLE_EQ(quantile(values, 0.95), 7.95);
    EXPECT_DOUBLE_EQ(quantile(values, 0.999), 8.979);
    EXPECT_DOUBLE_EQ(quantile(values, 1), 9);
}

TEST(Quantile, OfOneValueIsThatValue) {
    const std::array<double, 1> value{-7.25};
    for (const double p : {0.0, 0.3, 1.0}) EXPECT_EQ(quantile(value, p), -7.25);
}

TEST(Quantile, OfEqualValuesIsExactlyThatValue) {
    const std::array<double, 5> values{0.1, 0.1, 0.1, 0.1, 0.1};
    for (const double p : {0.1, 0.33, 0.5, 0.77}) EXPECT_EQ(quantile(values, p), 0.1);
}

TEST(Quantile, KeepsTheOrderOfTheProbabilitiesAsked) {
    const std::array<double, 3> values{2, 1, 3};
    EXPECT_EQ(quantiles(values, std::array{1.0, 0.0, 0.5}), (std::vector<double>{3, 1, 2}));
}

TEST(Quantile, RefusesAnEmptyList) {
    EXPECT_THROW(quantile({}, 0.5), InvalidArgument);
}

TEST(Quantile, RefusesProbabilitiesOutsideZeroToOne) {
    const std::array<double, 2> values{1, 2};
    for (const double p : {-0.01, 1.01, std::nan("")}) EXPECT_THROW(quantile(values, p), InvalidArgument);
}

TEST(Quantile, RefusesNonFiniteValues) {
    EXPECT_THROW(quantile(std::array{1.0, std::nan("")}, 0.5), NumericError);
    EXPECT_THROW(quantile(std::array{1.0, std::numeric_limits<double>::infinity()}, 0.5), NumericError);
}

}  // namespace
}  // namespace assay
