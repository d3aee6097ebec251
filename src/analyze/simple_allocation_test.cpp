#include "analyze/simple_allocation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace assay {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(SimpleAllocation, GivesBytesWhereTheyTakeMostDamageAway) {
    const std::vector<FormatChoice> linears{
        {.damage_small = 1.0, .damage_large = 0.0, .bytes_small = 10, .bytes_large = 20},
        {.damage_small = 3.0, .damage_large = 0.0, .bytes_small = 10, .bytes_large = 50},
        {.damage_small = 0.5, .damage_large = 0.1, .bytes_small = 10, .bytes_large = 12}};
    EXPECT_THAT(allocate_larger(linears, 30), ElementsAre(false, false, false));
    EXPECT_THAT(allocate_larger(linears, 32), ElementsAre(false, false, true));
    EXPECT_THAT(allocate_larger(linears, 42), ElementsAre(true, false, true));
    EXPECT_THAT(allocate_larger(linears, 82), ElementsAre(true, true, true));
}

TEST(SimpleAllocation, WhatDoesNotFitLeavesRoomForWhatDoes) {
    const std::vector<FormatChoice> linears{
        {.damage_small = 9, .damage_large = 0, .bytes_small = 1, .bytes_large = 100},
        {.damage_small = 1, .damage_large = 0, .bytes_small = 1, .bytes_large = 101}};
    EXPECT_THAT(allocate_larger(linears, 101), ElementsAre(true, false));
    EXPECT_THAT(allocate_larger(linears, 99), ElementsAre(false, false));
}

TEST(SimpleAllocation, BytesThatDoNotHelpAreNotSpent) {
    const std::vector<FormatChoice> linears{
        {.damage_small = 1, .damage_large = 1, .bytes_small = 1, .bytes_large = 2}};
    EXPECT_THAT(allocate_larger(linears, 100), ElementsAre(false));
    EXPECT_THAT(allocate_larger({}, 100), IsEmpty());
}

}  // namespace
}  // namespace assay
