#include "stats/sign_flip.h"

#include <gtest/gtest.h>

#include <algorithm>
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

// The p-values of `trials` draws of `blocks` Gaussian differences of mean `mean`.
std::vector<double> p_values(std::size_t blocks, double mean, int trials) {
    std::vector<double> p;
    for (int trial = 0; trial < trials; ++trial) {
        Rng rng(blocks, static_cast<std::uint64_t>(trial));
        std::vector<double> differences(blocks);
        for (double& d : differences) d = mean + gaussian(rng);
        p.push_back(sign_flip_test(differences, {.seed = rng.next(), .draws = 199}));
    }
    return p;
}

double share_below(double level, const std::vector<double>& p) {
    const auto below = std::count_if(p.begin(), p.end(), [level](double v) { return v <= level; });
    return static_cast<double>(below) / static_cast<double>(p.size());
}

// Sums of ±1 ±2 ±4: only 7 itself reaches 7; 7 and 5 reach 5 with -1.
TEST(SignFlip, ByHand) {
    EXPECT_EQ(sign_flip_test(std::array{1.0, 2.0, 4.0}, {}), 1.0 / 8);
    EXPECT_EQ(sign_flip_test(std::array{-1.0, 2.0, 4.0}, {}), 2.0 / 8);
    EXPECT_EQ(sign_flip_test(std::array{-1.0, -2.0, -4.0}, {}), 1);
}

// 6 of 10 equal differences are positive: P(at least 6 heads of 10) = 386 / 1024.
TEST(SignFlip, OfEqualSizesIsTheSignTest) {
    const std::array d{0.1, 0.1, 0.1, -0.1, 0.1, -0.1, 0.1, -0.1, 0.1, -0.1};
    EXPECT_EQ(sign_flip_test(d, {}), 386.0 / 1024);
}

TEST(SignFlip, CountsSumsThatDifferByRoundingAsEqual) {
    // In floating point 0.1 + 0.2 - 0.3 is 5.6e-17 and -0.1 - 0.2 + 0.3 is -5.6e-17: both are 0, as are no
    // others.
    EXPECT_EQ(sign_flip_test(std::array{0.1, 0.2, -0.3}, {}), 5.0 / 8);
}

TEST(SignFlip, OfZerosOrNothingIsOne) {
    EXPECT_EQ(sign_flip_test({}, {}), 1);
    EXPECT_EQ(sign_flip_test(std::array{0.0, 0.0}, {}), 1);
    EXPECT_EQ(sign_flip_test(std::vector<double>(30, 0.0), {}), 1);
}

// The standard error of the shares is 0.008 at most.
TEST(SignFlip, PValuesAreUniformUnderTheNull) {
    for (const std::size_t blocks : {10u, 13u, 70u}) {
        const std::vector<double> p = p_values(blocks, 0, 4000);
        for (const double level : {0.05, 0.2, 0.5, 0.8})
            EXPECT_NEAR(share_below(level, p), level, 0.025) << blocks;
    }
}

// A t-test of 20 values with mean 1 standard deviation, at 5 %, has a power of 0.995.
TEST(SignFlip, FindsAMeanAboveZeroAndNoneBelow) {
    EXPECT_GT(share_below(0.05, p_values(20, 1, 1000)), 0.97);
    EXPECT_LT(share_below(0.05, p_values(20, -1, 1000)), 0.001);
}

TEST(SignFlip, DrawsComeNearTheExactValue) {
    Rng rng(5);
    std::vector<double> differences(13);
    for (double& d : differences) d = 0.4 + gaussian(rng);
    int as_large = 0;
    double sum = 0;
    for (const double d : differences) sum += d;
    for (unsigned signs = 0; signs < 1u << 13; ++signs) {
        double flipped = 0;
        for (unsigned i = 0; i < 13; ++i) flipped += (signs >> i & 1) != 0 ? -differences[i] : differences[i];
        as_large += flipped >= sum - 1e-12;
    }
    EXPECT_NEAR(sign_flip_test(differences, {.draws = 100000}), as_large / 8192.0, 0.005);
}

TEST(SignFlip, IsTheSameForTheSameSeedAndOtherForAnother) {
    Rng rng(6);
    std::vector<double> differences(40);
    for (double& d : differences) d = 0.1 + gaussian(rng);
    EXPECT_EQ(sign_flip_test(differences, {.seed = 1}), sign_flip_test(differences, {.seed = 1}));
    EXPECT_NE(sign_flip_test(differences, {.seed = 1}), sign_flip_test(differences, {.seed = 2}));
}

TEST(SignFlip, DoesNotShowLessThanItsDrawsCan) {
    EXPECT_EQ(sign_flip_test(std::vector<double>(100, 1.0), {.draws = 99}), 0.01);
}

TEST(SignFlip, RefusesNanAndNoDraws) {
    EXPECT_THROW(sign_flip_test(std::array{1.0, std::nan("")}, {}), NumericError);
    EXPECT_THROW(sign_flip_test(std::array<double, 1>{INFINITY}, {}), NumericError);
    EXPECT_THROW(sign_flip_test(std::array{1.0}, {.draws = 0}), InvalidArgument);
}

}  // namespace
}  // namespace assay
