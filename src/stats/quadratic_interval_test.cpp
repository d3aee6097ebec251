#include "stats/quadratic_interval.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <vector>

#include "base/error.h"
#include "base/rng.h"

namespace assay {
namespace {

double gaussian(Rng& rng) {
    return std::sqrt(-2 * std::log(1 - rng.uniform())) * std::cos(2 * std::numbers::pi * rng.uniform());
}

// How often the interval of Σ λ z², with a standard error in the proportion sqrt(2 Σλ²) / Σλ, covers Σ λ.
double coverage(const std::vector<double>& weights, int trials) {
    double sum = 0, squares = 0;
    for (const double w : weights) sum += w, squares += w * w;
    int inside = 0;
    for (int trial = 0; trial < trials; ++trial) {
        Rng rng(31, static_cast<std::uint64_t>(trial));
        double estimate = 0;
        for (const double w : weights) {
            const double z = gaussian(rng);
            estimate += w * z * z;
        }
        const Interval interval = quadratic_interval(estimate, estimate * std::sqrt(2 * squares) / sum);
        inside += interval.low <= sum && sum <= interval.high;
    }
    return static_cast<double>(inside) / trials;
}

// How often it covers 1, given the mean of n squares of standard Gaussians and the standard error that they
// show.
double coverage_of_measured_errors(int n, int trials) {
    int inside = 0;
    for (int trial = 0; trial < trials; ++trial) {
        Rng rng(32, static_cast<std::uint64_t>(trial));
        double sum = 0, squares = 0;
        for (int i = 0; i < n; ++i) {
            const double z = gaussian(rng);
            sum += z * z;
            squares += z * z * z * z;
        }
        const double mean = sum / n, variance = (squares / n - mean * mean) * n / (n - 1);
        const Interval interval = quadratic_interval(mean, std::sqrt(variance / n));
        inside += interval.low <= 1 && 1 <= interval.high;
    }
    return static_cast<double>(inside) / trials;
}

// Two in a thousand is the standard error of the coverage at 10,000 trials.
TEST(QuadraticInterval, OfEqualWeightsCoversAsOftenAsItSays) {
    for (const std::size_t freedom : {2u, 3u, 5u, 10u, 40u, 200u})
        EXPECT_NEAR(coverage(std::vector<double>(freedom, 0.7), 10000), 0.95, 0.01) << freedom;
}

TEST(QuadraticInterval, OfUnequalWeightsCoversNearly) {
    std::vector<double> falling(60);
    for (std::size_t i = 0; i < falling.size(); ++i) falling[i] = std::pow(0.9, static_cast<double>(i));
    EXPECT_NEAR(coverage(falling, 10000), 0.95, 0.02);
    EXPECT_NEAR(coverage({10, 1, 1, 1, 1, 1, 1, 1, 1}, 10000), 0.95, 0.04);
}

TEST(QuadraticInterval, WithMeasuredErrorsCoversAsOftenAsTheHeaderSays) {
    EXPECT_NEAR(coverage_of_measured_errors(10, 10000), 0.89, 0.01);
    EXPECT_NEAR(coverage_of_measured_errors(40, 10000), 0.93, 0.01);
    EXPECT_NEAR(coverage_of_measured_errors(200, 10000), 0.945, 0.01);
}

// Two degrees of freedom: χ² is exponential with mean 2, its quantiles -2 ln(1 - p).
TEST(QuadraticInterval, OfTwoDegreesOfFreedomIsThatOfTheExponential) {
    const Interval interval = quadratic_interval(3, 3);
    EXPECT_NEAR(interval.low, 3 / -std::log(0.025), 1e-12);
    EXPECT_NEAR(interval.high, 3 / -std::log(0.975), 1e-12);
}

// χ²(0.025; 10) = 3.246973, χ²(0.975; 10) = 20.483177 (tables of the distribution).
TEST(QuadraticInterval, OfTenDegreesOfFreedomIsTheTables) {
    const Interval interval = quadratic_interval(1, std::sqrt(0.2));
    EXPECT_NEAR(interval.low, 10 / 20.483177, 1e-7);
    EXPECT_NEAR(interval.high, 10 / 3.246973, 1e-6);
}

TEST(QuadraticInterval, OfASmallErrorIsTheNormalOne) {
    const Interval interval = quadratic_interval(5, 1e-4);
    EXPECT_NEAR(interval.low, 5 - 1.959964e-4, 1e-8);
    EXPECT_NEAR(interval.high, 5 + 1.959964e-4, 1e-8);
}

TEST(QuadraticInterval, IsTheSameOnBothSidesOfTheChangeOfFormula) {
    const double error = std::sqrt(2 / 1e6);  // of a million degrees of freedom
    const Interval few = quadratic_interval(1, error * (1 + 1e-12)),
                   many = quadratic_interval(1, error * (1 - 1e-12));
    EXPECT_NEAR(few.low, many.low, 1e-8);
    EXPECT_NEAR(few.high, many.high, 1e-8);
}

TEST(QuadraticInterval, ScalesWithItsUnit) {
    const Interval one = quadratic_interval(1, 0.4), tiny = quadratic_interval(1e-200, 0.4e-200);
    EXPECT_NEAR(tiny.low / one.low, 1e-200, 1e-214);
    EXPECT_NEAR(tiny.high / one.high, 1e-200, 1e-214);
}

TEST(QuadraticInterval, WithoutErrorIsThePoint) {
    EXPECT_EQ(quadratic_interval(0, 0), (Interval{0, 0}));
    EXPECT_EQ(quadratic_interval(2.5, 0), (Interval{2.5, 2.5}));
    EXPECT_EQ(quadratic_interval(2.5, std::numeric_limits<double>::denorm_min()), (Interval{2.5, 2.5}));
}

TEST(QuadraticInterval, OfLargeErrorsKeepsOneDegreeOfFreedomAndReachesAsFarAsTheNormalOne) {
    EXPECT_NEAR(quadratic_interval(1, 100).low, 1 / 5.023886, 1e-6);  // χ²(0.975; 1)
    EXPECT_NEAR(quadratic_interval(1, 100).high, 1018.3, 0.1);        // 1 / χ²(0.025; 1)
    EXPECT_NEAR(quadratic_interval(1, 1000).high, 1 + 1959.964, 1e-3);
    EXPECT_EQ(quadratic_interval(0, 2).low, 0);
    EXPECT_NEAR(quadratic_interval(0, 2).high, 3.919928, 1e-6);
}

TEST(QuadraticInterval, RefusesNanInfinityAndNegativeNumbers) {
    EXPECT_THROW(quadratic_interval(std::nan(""), 1), NumericError);
    EXPECT_THROW(quadratic_interval(1, INFINITY), NumericError);
    EXPECT_THROW(quadratic_interval(-1e-9, 1), InvalidArgument);
    EXPECT_THROW(quadratic_interval(1, -1), InvalidArgument);
}

}  // namespace
}  // namespace assay
