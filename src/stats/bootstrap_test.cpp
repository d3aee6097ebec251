#include "stats/bootstrap.h"

#include <gtest/gtest.h>

#include <cmath>
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

// How often the 95 % interval of the mean of `blocks` Gaussian blocks of true mean 0.3 contains 0.3.
double coverage(std::size_t blocks, int trials) {
    int inside = 0;
    for (int trial = 0; trial < trials; ++trial) {
        Rng rng(17, static_cast<std::uint64_t>(trial));
        std::vector<double> sums(blocks), counts(blocks, 64.0);
        for (double& s : sums) s = 64 * (0.3 + gaussian(rng));
        const auto interval =
            bootstrap_mean(sums, counts, {.resamples = 600, .seed = static_cast<std::uint64_t>(trial)});
        inside += interval->low <= 0.3 && 0.3 <= interval->high;
    }
    return static_cast<double>(inside) / trials;
}

TEST(BootstrapMean, CoversTheTrueMeanAsOftenAsItSays) {
    EXPECT_GT(coverage(40, 1000), 0.92);
    EXPECT_LT(coverage(40, 1000), 0.97);
}

TEST(BootstrapMean, IsALittleNarrowForFewBlocks) {
    EXPECT_GT(coverage(10, 1000), 0.86);
    EXPECT_LT(coverage(10, 1000), 0.94);
}

// Resamples of n equal-length blocks have the standard error sqrt(Σ (x - mean)²) / n: a Gaussian interval is
// ± 1.96 of it.
TEST(BootstrapMean, HasTheWidthOfTheStandardError) {
    Rng rng(1);
    std::vector<double> sums(400), counts(400, 1.0);
    for (double& s : sums) s = gaussian(rng);
    const double mean = std::accumulate(sums.begin(), sums.end(), 0.0) / 400;
    double squares = 0;
    for (const double s : sums) squares += (s - mean) * (s - mean);
    const double error = std::sqrt(squares) / 400;
    const Interval interval = bootstrap_mean(sums, counts, {.resamples = 20000, .seed = 2}).value();
    EXPECT_NEAR(interval.low, mean - 1.96 * error, 0.1 * error);
    EXPECT_NEAR(interval.high, mean + 1.96 * error, 0.1 * error);
    const Interval half = bootstrap_mean(sums, counts, {.resamples = 20000, .level = 0.5, .seed = 2}).value();
    EXPECT_NEAR(half.high - half.low, 2 * 0.6745 * error, 0.1 * error);
}

TEST(BootstrapMean, OfZeroDifferencesIsExactlyZero) {
    const std::vector<double> zeros(12, 0.0), counts{64, 64, 31, 64, 64, 31, 64, 64, 31, 1, 2, 3};
    const Interval interval = bootstrap_mean(zeros, counts, {}).value();
    EXPECT_EQ(interval.low, 0);
    EXPECT_EQ(interval.high, 0);
}

TEST(BootstrapMean, WeighsBlocksByTheirTokens) {
    // Every block has mean 2: so has every resample, whatever the counts.
    const std::vector<double> counts{1, 10, 100, 7}, sums{2, 20, 200, 14};
    const Interval interval = bootstrap_mean(sums, counts, {}).value();
    EXPECT_DOUBLE_EQ(interval.low, 2);
    EXPECT_DOUBLE_EQ(interval.high, 2);
}

TEST(BootstrapMean, IsTheSameForTheSameSeedAndOtherForAnother) {
    const std::vector<double> sums{1, 5, 2, 8, 3, 9, 4}, counts(7, 1.0);
    const BootstrapOptions options{.resamples = 200, .seed = 5}, other{.resamples = 200, .seed = 6};
    EXPECT_EQ(bootstrap_mean(sums, counts, options)->low, bootstrap_mean(sums, counts, options)->low);
    EXPECT_NE(bootstrap_mean(sums, counts, options)->low, bootstrap_mean(sums, counts, other)->low);
}

TEST(BootstrapMean, DoesNotExistForFewerThanTwoBlocks) {
    EXPECT_FALSE(bootstrap_mean({}, {}, {}).has_value());
    EXPECT_FALSE(bootstrap_mean(std::vector{1.0}, std::vector{2.0}, {}).has_value());
}

TEST(BootstrapMean, RefusesBlocksWithoutTokens) {
    const std::vector<double> sums{1, 2}, counts{1, 0};
    EXPECT_THROW(bootstrap_mean(sums, counts, {}), InvalidArgument);
}

TEST(BootstrapMean, RefusesAMissingCount) {
    const std::vector<double> sums{1, 2}, counts{1};
    EXPECT_THROW(bootstrap_mean(sums, counts, {}), InvalidArgument);
}

TEST(BootstrapMean, RefusesNan) {
    const std::vector<double> sums{1, std::nan("")}, counts{1, 1};
    EXPECT_THROW(bootstrap_mean(sums, counts, {}), NumericError);
}

TEST(Bootstrap, DrawsAsManyBlocksAsThereAreWithReplacement) {
    double drawn_twice = 0;
    const auto check = [&](std::span<const double> multiplicities) {
        EXPECT_EQ(multiplicities.size(), 9u);
        EXPECT_EQ(std::accumulate(multiplicities.begin(), multiplicities.end(), 0.0), 9);
        drawn_twice += multiplicities[0] == 2;
        return 0.0;
    };
    bootstrap(9, check, {.resamples = 3000});
    // Binomial(9, 1/9): P(2) = 36 (1/9)² (8/9)⁷ = 0.195.
    EXPECT_NEAR(drawn_twice / 3000, 0.195, 0.03);
}

// The difference of two models' perplexities on the same blocks, whose difficulty varies far more than the
// difference.
TEST(Bootstrap, PairsWhatTheStatisticReadsOfOneBlock) {
    Rng rng(8);
    std::vector<double> a(64), b(64);
    for (std::size_t i = 0; i < a.size(); ++i) {
        a[i] = 64 * (3 + gaussian(rng));
        b[i] = a[i] + 64 * (0.1 + 0.02 * gaussian(rng));
    }
    const auto perplexity = [](std::span<const double> sums, std::span<const double> m) {
        double nll = 0;
        for (std::size_t i = 0; i < m.size(); ++i) nll += m[i] * sums[i];
        return std::exp(nll / (64.0 * static_cast<double>(m.size())));
    };
    const auto relative = [&](std::span<const double> m) { return perplexity(b, m) / perplexity(a, m) - 1; };
    const Interval paired = bootstrap(64, relative, {}).value();
    const Interval alone =
        bootstrap(64, [&](std::span<const double> m) { return perplexity(a, m); }, {}).value();
    EXPECT_LT(paired.low, std::expm1(0.1));
    EXPECT_GT(paired.high, std::expm1(0.1));
    EXPECT_LT(paired.high - paired.low, 0.02);
    EXPECT_GT((alone.high - alone.low) / 20, 0.2);
}

TEST(Bootstrap, RefusesImpossibleOptions) {
    const auto zero = [](std::span<const double>) { return 0.0; };
    EXPECT_THROW(bootstrap(5, zero, {.resamples = 0}), InvalidArgument);
    EXPECT_THROW(bootstrap(5, zero, {.level = 1}), InvalidArgument);
    EXPECT_THROW(bootstrap(5, zero, {.level = 0}), InvalidArgument);
    EXPECT_THROW(bootstrap(-1, zero, {}), InvalidArgument);
}

}  // namespace
}  // namespace assay
