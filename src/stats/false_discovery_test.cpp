#include "stats/false_discovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "base/rng.h"

namespace assay {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::Pointwise;

std::vector<double> random_p_values(std::size_t tests, std::uint64_t seed) {
    Rng rng(seed);
    std::vector<double> p(tests);
    for (double& v : p) v = std::pow(rng.uniform(), 3);
    return p;
}

// m p_(j) / j: 0.05, 0.05, 0.05, 0.0625, 0.06, 0.4; from the right the least so far.
TEST(BenjaminiHochberg, ByHand) {
    const std::array p{0.4, 0.05 / 6, 0.05 / 3, 0.05, 0.025, 0.0625 * 4 / 6};
    const Discoveries found = benjamini_hochberg(p, 0.0501);
    EXPECT_THAT(found.q_values, Pointwise(DoubleNear(1e-15), std::array{0.4, 0.05, 0.05, 0.06, 0.05, 0.06}));
    EXPECT_THAT(found.rejected, ElementsAre(false, true, true, false, true, false));
}

// The paper's own example: of 15 p-values the four smallest are rejected at 0.05 (Benjamini & Hochberg 1995,
// section 3.2).
TEST(BenjaminiHochberg, RejectsThePapersFour) {
    const std::array p{0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
                       0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000};
    const Discoveries found = benjamini_hochberg(p, 0.05);
    EXPECT_EQ(std::count(found.rejected.begin(), found.rejected.end(), true), 4);
    EXPECT_TRUE(found.rejected[3]);
}

TEST(BenjaminiHochberg, RejectsSmallPValuesBelowALargerOneThatHolds) {
    // The first two alone are above their own lines 0.0167 and 0.033; the third, 0.05, is on its line.
    EXPECT_THAT(benjamini_hochberg(std::array{0.02, 0.04, 0.05}, 0.05).rejected,
                ElementsAre(true, true, true));
}

TEST(BenjaminiHochberg, IsTheStepUpDefinition) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const auto p = random_p_values(101, seed);
        auto sorted = p;
        std::sort(sorted.begin(), sorted.end());
        double line = -1;  // the largest p_(k) <= k/m · rate
        for (std::size_t k = 1; k <= p.size(); ++k)
            if (sorted[k - 1] <= static_cast<double>(k) / static_cast<double>(p.size()) * 0.1)
                line = sorted[k - 1];
        const Discoveries found = benjamini_hochberg(p, 0.1);
        for (std::size_t i = 0; i < p.size(); ++i) EXPECT_EQ(found.rejected[i], p[i] <= line);
    }
}

TEST(BenjaminiHochberg, IsMonotone) {
    const auto p = random_p_values(200, 7);
    const Discoveries found = benjamini_hochberg(p, 0.2), strict = benjamini_hochberg(p, 0.02);
    for (std::size_t i = 0; i < p.size(); ++i) {
        EXPECT_GE(found.q_values[i], p[i]);
        EXPECT_LE(found.q_values[i], 1);
        EXPECT_EQ(found.q_values[i], strict.q_values[i]);
        EXPECT_LE(strict.rejected[i], found.rejected[i]);
        for (std::size_t j = 0; j < p.size(); ++j)
            EXPECT_TRUE(p[i] > p[j] || found.q_values[i] <= found.q_values[j]);
    }
}

TEST(BenjaminiHochberg, DoesNotSeeTheOrder) {
    auto p = random_p_values(50, 9);
    p[10] = p[20] = p[30];
    const Discoveries found = benjamini_hochberg(p, 0.1);
    std::reverse(p.begin(), p.end());
    Discoveries reversed = benjamini_hochberg(p, 0.1);
    std::reverse(reversed.q_values.begin(), reversed.q_values.end());
    EXPECT_EQ(found.q_values, reversed.q_values);
    EXPECT_EQ(found.q_values[10], found.q_values[20]);
    EXPECT_EQ(found.q_values[10], found.q_values[30]);
}

TEST(BenjaminiHochberg, OfEqualPValuesIsThatPValue) {
    EXPECT_THAT(benjamini_hochberg(std::array{0.03, 0.03, 0.03}, 0.05).q_values,
                ElementsAre(0.03, 0.03, 0.03));
}

TEST(BenjaminiHochberg, HandlesNoTestsOneTestZeroAndOne) {
    EXPECT_TRUE(benjamini_hochberg({}, 0.05).rejected.empty());
    EXPECT_THAT(benjamini_hochberg(std::array{0.04}, 0.05).rejected, ElementsAre(true));
    EXPECT_THAT(benjamini_hochberg(std::array{0.0, 1.0}, 0.05).q_values, ElementsAre(0, 1));
}

TEST(BenjaminiHochberg, RefusesNan) {
    EXPECT_THROW(benjamini_hochberg(std::array{0.1, std::nan("")}, 0.05), NumericError);
}

TEST(BenjaminiHochberg, RefusesImpossiblePValuesAndRates) {
    EXPECT_THROW(benjamini_hochberg(std::array{-0.1}, 0.05), InvalidArgument);
    EXPECT_THROW(benjamini_hochberg(std::array{1.1}, 0.05), InvalidArgument);
    EXPECT_THROW(benjamini_hochberg(std::array{0.1}, 0), InvalidArgument);
    EXPECT_THROW(benjamini_hochberg(std::array{0.1}, 1), InvalidArgument);
    EXPECT_THROW(benjamini_hochberg(std::array{0.1}, std::nan("")), InvalidArgument);
}

}  // namespace
}  // namespace assay
