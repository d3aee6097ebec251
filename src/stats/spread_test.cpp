#include "stats/spread.h"

#include <gtest/gtest.h>

namespace assay {
namespace {

TEST(Spreads, OfTwoEqualPartsHaveBothFreedoms) {
    const Spread s = combined_spread({.variance = 2, .freedom = 5}, {.variance = 2, .freedom = 5});
    EXPECT_DOUBLE_EQ(s.error, 2);
    EXPECT_DOUBLE_EQ(s.freedom, 10);
}

TEST(Spreads, LieBetweenThoseOfTheirParts) {
    const Spread s = combined_spread({.variance = 1, .freedom = 3}, {.variance = 4, .freedom = 30});
    EXPECT_DOUBLE_EQ(s.freedom, 25.0 / (1.0 / 3 + 16.0 / 30));
}

TEST(Spreads, APartWithoutVarianceCountsForNothing) {
    EXPECT_DOUBLE_EQ(combined_spread({.variance = 9, .freedom = 7}, {}).freedom, 7);
    EXPECT_DOUBLE_EQ(combined_spread({}, {.variance = 9, .freedom = 7}).error, 3);
    EXPECT_EQ(combined_spread({}, {}).error, 0);
}

}  // namespace
}  // namespace assay
