#include "stats/proportions.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/rng.h"

namespace assay {
namespace {

TEST(WilsonInterval, EqualsPublishedValues) {
    // Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
    const Interval many = wilson_interval(81, 263), few = wilson_interval(15, 148);
    EXPECT_NEAR(many.low, 0.2553, 5e-5);
    EXPECT_NEAR(many.high, 0.3662, 5e-5);
    EXPECT_NEAR(few.low, 0.0624, 5e-5);
    EXPECT_NEAR(few.high, 0.1605, 5e-5);
}

TEST(WilsonInterval, StaysInsideAtBothEnds) {
    EXPECT_EQ(wilson_interval(0, 20).low, 0);
    EXPECT_NEAR(wilson_interval(0, 20).high, 0.1611, 5e-5);  // Newcombe, as above
    EXPECT_EQ(wilson_interval(29, 29).high, 1);
    EXPECT_NEAR(wilson_interval(29, 29).low, 1 - 0.1170, 5e-5);
}

TEST(WilsonInterval, RejectsImpossibleCounts) {
    EXPECT_THROW(wilson_interval(1, 0), InvalidArgument);
    EXPECT_THROW(wilson_interval(-1, 5), InvalidArgument);
    EXPECT_THROW(wilson_interval(6, 5), InvalidArgument);
}

TEST(McNemar, EqualsTheBinomialTailWrittenOut) {
    EXPECT_DOUBLE_EQ(mcnemar_p_value(0, 0), 1);
    EXPECT_DOUBLE_EQ(mcnemar_p_value(0, 1), 1);
    EXPECT_DOUBLE_EQ(mcnemar_p_value(5, 0), 2.0 / 32);
    EXPECT_NEAR(mcnemar_p_value(2, 8), 2.0 * (1 + 10 + 45) / 1024, 1e-15);
    EXPECT_DOUBLE_EQ(mcnemar_p_value(4, 4), 1);
    EXPECT_DOUBLE_EQ(mcnemar_p_value(8, 2), mcnemar_p_value(2, 8));
}

TEST(McNemar, HoldsForManyPairs) {
    // 40,000 pairs, one standard deviation (100) beyond the middle: 2 Φ(-1) but for the correction of ½.
    EXPECT_NEAR(mcnemar_p_value(19900, 20100), std::erfc(99.5 / 100 / std::sqrt(2.0)), 1e-4);
}

TEST(McNemar, RejectsNegativeCounts) {
    EXPECT_THROW(mcnemar_p_value(-1, 2), InvalidArgument);
}

TEST(PairedDifference, CoversTheTruthAboutAsOftenAsItSays) {
    Rng rng(3);
    const int trials = 4000;
    const std::int64_t questions = 120;
    const double lost = 0.09, gained = 0.04;
    int covered = 0;
    for (int t = 0; t < trials; ++t) {
        std::int64_t b = 0, c = 0;
        for (std::int64_t q = 0; q < questions; ++q) {
            const double u = rng.uniform();
            b += u < lost;
            c += u >= lost && u < lost + gained;
        }
        const Interval interval = paired_difference_interval(b, c, questions);
        covered += interval.low <= gained - lost && gained - lost <= interval.high;
    }
    EXPECT_GT(covered, 0.93 * trials);
    EXPECT_LT(covered, 0.98 * trials);
}

TEST(PairedDifference, IsTheFormulaOfItsSource) {
    // b = 4, c = 10, n = 100, written out: (11 - 5)/102 ± 1.96 √((16/102 - (6/102)²)/102).
    const Interval interval = paired_difference_interval(4, 10, 100);
    EXPECT_NEAR(interval.low, 6.0 / 102 - 1.959964 * std::sqrt((16.0 / 102 - 36.0 / 10404) / 102), 1e-6);
    EXPECT_NEAR(interval.high, 6.0 / 102 + 1.959964 * std::sqrt((16.0 / 102 - 36.0 / 10404) / 102), 1e-6);
}

TEST(PairedDifference, RejectsImpossibleCounts) {
    EXPECT_THROW(paired_difference_interval(-1, 0, 5), InvalidArgument);
    EXPECT_THROW(paired_difference_interval(3, 3, 5), InvalidArgument);
}

}  // namespace
}  // namespace assay
