#include "text/split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "text/unicode.h"

namespace assay {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> split(SplitBehavior behavior, bool invert, std::string_view text = "xabyazz") {
    std::vector<std::string> pieces;
    split_at(text, Regex::from_pattern("[a-b]", "p"), behavior, invert,
             [&](std::string_view piece) { pieces.emplace_back(piece); });
    return pieces;
}

// Expected pieces: Split(Regex("[a-b]"), …) of the `tokenizers` library 0.23.3.
TEST(Split, TreatsMatchesAsTheBehaviorSays) {
    EXPECT_THAT(split(SplitBehavior::kRemoved, false), ElementsAre("x", "y", "zz"));
    EXPECT_THAT(split(SplitBehavior::kIsolated, false), ElementsAre("x", "a", "b", "y", "a", "zz"));
    EXPECT_THAT(split(SplitBehavior::kMergedWithPrevious, false), ElementsAre("xa", "b", "ya", "zz"));
    EXPECT_THAT(split(SplitBehavior::kMergedWithNext, false), ElementsAre("x", "a", "by", "azz"));
    EXPECT_THAT(split(SplitBehavior::kContiguous, false), ElementsAre("x", "ab", "y", "a", "zz"));
}

TEST(Split, ExchangesMatchesAndGapsWhenInverted) {
    EXPECT_THAT(split(SplitBehavior::kRemoved, true), ElementsAre("a", "b", "a"));
    EXPECT_THAT(split(SplitBehavior::kIsolated, true), ElementsAre("x", "a", "b", "y", "a", "zz"));
    EXPECT_THAT(split(SplitBehavior::kMergedWithPrevious, true), ElementsAre("x", "a", "by", "azz"));
    EXPECT_THAT(split(SplitBehavior::kMergedWithNext, true), ElementsAre("xa", "b", "ya", "zz"));
    EXPECT_THAT(split(SplitBehavior::kContiguous, true), ElementsAre("x", "ab", "y", "a", "zz"));
}

TEST(Split, LeavesTextsWithoutMatchesWhole) {
    EXPECT_THAT(split(SplitBehavior::kRemoved, false, "xyz"), ElementsAre("xyz"));
    EXPECT_THAT(split(SplitBehavior::kRemoved, true, "xyz"), IsEmpty());
    EXPECT_THAT(split(SplitBehavior::kIsolated, false, ""), IsEmpty());
}

TEST(Split, CutsAtCharactersOfAClass) {
    std::vector<std::string> pieces;
    split_at("a1\u0663b", is_numeric, SplitBehavior::kIsolated,
             [&](std::string_view piece) { pieces.emplace_back(piece); });
    EXPECT_THAT(pieces, ElementsAre("a", "1", "\u0663", "b"));
}

}  // namespace
}  // namespace assay
