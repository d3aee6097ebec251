#include "model/prefix_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/rng.h"
#include "model/token_chunks.h"

namespace assay {
namespace {

using ::testing::ElementsAre;
using Window = EvaluationWindow;

TEST(PrefixTree, HoldsWhatWindowsShareOnce) {
    // A prompt 1 2, a question 3 with two choices, a question 4 5 with choices that begin alike.
    const std::vector<Window> windows{
        {{1, 2, 3, 6}, 2}, {{1, 2, 3, 7}, 2}, {{1, 2, 4, 5, 8, 6}, 3}, {{1, 2, 4, 5, 8, 9, 7}, 3}};
    const PrefixTree tree = make_prefix_tree(windows);
    using Tokens = std::vector<std::int32_t>;
    EXPECT_THAT(tree.parts, ElementsAre(Tokens{1, 2}, Tokens{3}, Tokens{4, 5, 8}, Tokens{9}));
    EXPECT_THAT(tree.continued, ElementsAre(-1, 0, 0, 2));
    // Rows: 1 2 | 3 | 4 5 8 | 9.
    EXPECT_THAT(tree.scored_rows, ElementsAre(2, 2, 4, 5, 4, 5, 6));
}

TEST(PrefixTree, OfWindowsWithoutACommonBeginningHasOnePartEach) {
    const std::vector<Window> windows{{{1, 2, 3}, 0}, {{2, 2, 3}, 1}};
    const PrefixTree tree = make_prefix_tree(windows);
    EXPECT_THAT(tree.continued, ElementsAre(-1, -1));
    EXPECT_THAT(tree.scored_rows, ElementsAre(0, 1, 3));
}

TEST(PrefixTree, OneWindowMayBeginAnother) {
    const std::vector<Window> windows{{{1, 2, 3}, 0}, {{1, 2, 3, 4}, 2}, {{1, 9}, 0}};
    const PrefixTree tree = make_prefix_tree(windows);
    using Tokens = std::vector<std::int32_t>;
    EXPECT_THAT(tree.parts, ElementsAre(Tokens{1}, Tokens{2}, Tokens{3}));
    EXPECT_THAT(tree.continued, ElementsAre(-1, 0, 1));
    EXPECT_THAT(tree.scored_rows, ElementsAre(0, 1, 2, 0));
}

TEST(CommonRows, LeaveOutTheLastTokenWhichPredictsNothing) {
    EXPECT_EQ(common_rows({{1, 2, 3}, 0}, {{1, 2, 3}, 0}), 2);
    EXPECT_EQ(common_rows({{1, 2, 3}, 0}, {{1, 2, 4, 5}, 0}), 2);
    EXPECT_EQ(common_rows({{1, 2}, 0}, {{2, 2}, 0}), 0);
}

// Random windows over few tokens share much: each scored position's row must lead to its window's own tokens.
TEST(PrefixTree, EveryScoredRowHasItsWindowsTokensBeforeIt) {
    Rng rng(5);
    std::vector<Window> windows;
    for (int w = 0; w < 200; ++w) {
        Window window;
        const std::uint64_t length = 2 + rng.below(9);
        for (std::uint64_t t = 0; t < length; ++t)
            window.tokens.push_back(static_cast<std::int32_t>(rng.below(2)));
        window.context = static_cast<std::int64_t>(rng.below(length - 1));
        windows.push_back(window);
    }
    for (const std::int64_t max_rows : {1, 20, 5000}) {
        std::size_t rows = 0;
        for (const TokenChunk& chunk : make_chunks(windows, max_rows, Prefixes::kShared)) {
            std::vector<std::int32_t> token_of;
            std::vector<std::int64_t> part_of;
            for (std::size_t p = 0; p < chunk.windows.size(); ++p) {
                token_of.insert(token_of.end(), chunk.windows[p].begin(), chunk.windows[p].end());
                part_of.insert(part_of.end(), chunk.windows[p].size(), static_cast<std::int64_t>(p));
            }
            ASSERT_EQ(std::ssize(token_of), chunk.rows.rows());
            rows += token_of.size();
            auto row = chunk.scored_rows.begin();
            for (std::int64_t w = 0; w < chunk.scored.windows(); ++w) {
                const Window& window = windows[static_cast<std::size_t>(chunk.first_window + w)];
                for (std::size_t t = static_cast<std::size_t>(window.context); t + 1 < window.tokens.size();
                     ++t) {
                    const std::int64_t part = part_of[static_cast<std::size_t>(*row)];
                    std::vector<std::int32_t> path;
                    for (std::int64_t r : chunk.rows.rows_before(part))
                        path.push_back(token_of[static_cast<std::size_t>(r)]);
                    for (std::int64_t r = chunk.rows.window_first_row(part); r <= *row; ++r)
                        path.push_back(token_of[static_cast<std::size_t>(r)]);
                    ASSERT_EQ(path, std::vector(window.tokens.begin(),
                                                window.tokens.begin() + static_cast<std::ptrdiff_t>(t) + 1));
                    ++row;
                }
            }
            ASSERT_EQ(row, chunk.scored_rows.end());
        }
        std::size_t alone = 0;
        for (const Window& window : windows) alone += window.tokens.size() - 1;
        EXPECT_LT(rows, max_rows == 5000 ? 9 * alone / 10 : alone);
    }
}

TEST(PlanChunks, CountsTheRowsThatTheChunksHave) {
    const std::vector<Window> windows{
        {{1, 2, 3, 6}, 2}, {{1, 2, 3, 7}, 2}, {{1, 2, 4, 5, 8}, 3}, {{3, 2}, 0}};
    for (const Prefixes prefixes : {Prefixes::kSeparate, Prefixes::kShared}) {
        for (const std::int64_t max_rows : {1, 4, 5, 6, 100}) {
            const auto chunks = make_chunks(windows, max_rows, prefixes);
            const auto plan = plan_chunks(windows, shared_rows(windows, prefixes), max_rows);
            ASSERT_EQ(chunks.size(), plan.size());
            for (std::size_t c = 0; c < plan.size(); ++c) {
                EXPECT_EQ(plan[c].rows, chunks[c].rows.rows());
                EXPECT_EQ(static_cast<std::int64_t>(plan[c].first), chunks[c].first_window);
                EXPECT_EQ(static_cast<std::int64_t>(plan[c].count), chunks[c].scored.windows());
            }
        }
    }
}

}  // namespace
}  // namespace assay
