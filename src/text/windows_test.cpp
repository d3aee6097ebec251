#include "text/windows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace assay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Window = EvaluationWindow;

std::vector<std::int32_t> count_to(int n) {
    std::vector<std::int32_t> ids(n);
    std::iota(ids.begin(), ids.end(), 0);
    return ids;
}

template <class Call>
std::string refusal(Call call) {
    try {
        call();
    } catch (const FormatError& error) {
        return error.what();
    }
    return "accepted";
}

std::string ids_refusal(std::string_view json) {
    return refusal([&] { parse_ids(json, "ids.json", 10); });
}

TEST(GptqWindows, DoNotOverlapAndDropTheIncompleteLastOne) {
    EXPECT_THAT(gptq_windows(count_to(8), {.window_tokens = 3}),
                ElementsAre(Window{{0, 1, 2}}, Window{{3, 4, 5}}));
    EXPECT_THAT(gptq_windows(count_to(6), {.window_tokens = 3}),
                ElementsAre(Window{{0, 1, 2}}, Window{{3, 4, 5}}));
}

TEST(GptqWindows, AreLimitedOnRequest) {
    EXPECT_THAT(gptq_windows(count_to(10), {.window_tokens = 2, .max_windows = 2}),
                ElementsAre(Window{{0, 1}}, Window{{2, 3}}));
}

TEST(GptqWindows, RejectATextShorterThanOne) {
    EXPECT_THAT(refusal([] { gptq_windows(count_to(5), {.window_tokens = 6}); }),
                ::testing::AllOf(HasSubstr("5 tokens"), HasSubstr("--window"), HasSubstr("longer text")));
}

TEST(GptqWindows, RejectAnEmptyText) {
    EXPECT_THAT(refusal([] { gptq_windows({}, {.window_tokens = 2}); }), HasSubstr("empty"));
}

TEST(GptqWindows, RejectOptionsOutOfRange) {
    const auto ids = count_to(8);
    EXPECT_THROW(gptq_windows(ids, {.window_tokens = 1}), InvalidArgument);
    EXPECT_THROW(gptq_windows(ids, {.window_tokens = 2, .max_windows = -1}), InvalidArgument);
}

TEST(LlamaCppWindows, BeginWithBosInsteadOfTheirFirstTokenAndScoreTheSecondHalf) {
    EXPECT_THAT(llama_cpp_windows(count_to(9), {.window_tokens = 4}, 99),
                ElementsAre(Window{{99, 1, 2, 3}, 2}, Window{{99, 5, 6, 7}, 2}));
    EXPECT_THAT(llama_cpp_windows(count_to(10), {.window_tokens = 5}, 99),
                ElementsAre(Window{{99, 1, 2, 3, 4}, 2}, Window{{99, 6, 7, 8, 9}, 2}));
}

TEST(LlamaCppWindows, KeepTheirFirstTokenWithoutABos) {
    EXPECT_THAT(llama_cpp_windows(count_to(8), {.window_tokens = 4, .max_windows = 1}, std::nullopt),
                ElementsAre(Window{{0, 1, 2, 3}, 2}));
}

TEST(LlamaCppWindows, Score255Of512) {
    const Window window = llama_cpp_windows(count_to(1024), {.window_tokens = 512}, {})[1];
    EXPECT_EQ(static_cast<std::int64_t>(window.tokens.size()) - 1 - window.context, 255);
}

TEST(LlamaCppWindows, RejectATextOfLessThanTwo) {
    const auto short_text = [] {
        llama_cpp_windows(count_to(1023), {.window_tokens = 512, .max_windows = 1}, {});
    };
    EXPECT_THAT(refusal(short_text), ::testing::AllOf(HasSubstr("1023 tokens"), HasSubstr("2 or more")));
}

TEST(LlamaCppWindows, RejectAWindowWithNothingToScore) {
    EXPECT_THROW(llama_cpp_windows(count_to(8), {.window_tokens = 2}, {}), InvalidArgument);
    EXPECT_EQ(llama_cpp_windows(count_to(8), {.window_tokens = 3}, {})[0].context, 1);
}

TEST(SlidingWindows, OverlapAndScoreWhatIsNew) {
    EXPECT_THAT(sliding_windows(count_to(8), {.window_tokens = 4}, 2),
                ElementsAre(Window{{0, 1, 2, 3}, 0}, Window{{2, 3, 4, 5}, 1}, Window{{4, 5, 6, 7}, 1}));
}

TEST(SlidingWindows, TheLastOneIsShorterWhereTheTextEnds) {
    EXPECT_THAT(sliding_windows(count_to(7), {.window_tokens = 4}, 2),
                ElementsAre(Window{{0, 1, 2, 3}, 0}, Window{{2, 3, 4, 5}, 1}, Window{{4, 5, 6}, 1}));
    EXPECT_THAT(sliding_windows(count_to(6), {.window_tokens = 5}, 3),
                ElementsAre(Window{{0, 1, 2, 3, 4}, 0}, Window{{3, 4, 5}, 1}));
}

TEST(SlidingWindows, AShortTextIsOneWindow) {
    EXPECT_THAT(sliding_windows(count_to(3), {.window_tokens = 4}, 2), ElementsAre(Window{{0, 1, 2}, 0}));
    EXPECT_THAT(sliding_windows(count_to(4), {.window_tokens = 4}, 1), ElementsAre(Window{{0, 1, 2, 3}, 0}));
}

TEST(SlidingWindows, AreLimitedOnRequest) {
    EXPECT_EQ(sliding_windows(count_to(100), {.window_tokens = 10, .max_windows = 3}, 5).size(), 3u);
}

// The loop of Hugging Face's page: which tokens each window scores, over many lengths.
TEST(SlidingWindows, ScoreEveryTokenButTheFirstExactlyOnceAsTheLoopOfTheSourceDoes) {
    for (int tokens = 2; tokens < 40; ++tokens) {
        for (int window = 2; window < 12; ++window) {
            for (int stride = 1; stride < window; ++stride) {
                const auto ids = count_to(tokens);
                std::vector<Window> expected;
                for (int begin = 0, previous_end = 0; begin < tokens; begin += stride) {
                    const int end = std::min(begin + window, tokens);
                    const int labelled = end - previous_end;  // the last so many; a first token is never one
                    expected.push_back(
                        {{ids.begin() + begin, ids.begin() + end}, std::max(0, end - begin - labelled - 1)});
                    previous_end = end;
                    if (end == tokens) break;
                }
                const auto windows = sliding_windows(ids, {.window_tokens = window}, stride);
                ASSERT_EQ(windows, expected) << tokens << " " << window << " " << stride;
                std::vector<std::int32_t> scored;
                for (const Window& w : windows)
                    scored.insert(scored.end(), w.tokens.begin() + w.context + 1, w.tokens.end());
                ASSERT_EQ(scored, std::vector<std::int32_t>(ids.begin() + 1, ids.end()));
            }
        }
    }
}

TEST(SlidingWindows, RejectAStrideThatLeavesNoOverlap) {
    const auto ids = count_to(8);
    EXPECT_THROW(sliding_windows(ids, {.window_tokens = 4}, 0), InvalidArgument);
    EXPECT_THROW(sliding_windows(ids, {.window_tokens = 4}, 4), InvalidArgument);
}

TEST(SlidingWindows, RejectATextWithNothingToScore) {
    EXPECT_THAT(refusal([] { sliding_windows(count_to(1), {.window_tokens = 4}, 2); }),
                HasSubstr("1 tokens"));
}

TEST(WindowIds, MayDifferInLength) {
    EXPECT_THAT(parse_ids("[[1, 2], [9, 0, 3]]", "ids.json", 10),
                ElementsAre(Window{{1, 2}}, Window{{9, 0, 3}}));
}

TEST(WindowIds, RejectBadJson) {
    EXPECT_THAT(ids_refusal("[[1,"), HasSubstr("ids.json"));
}

TEST(WindowIds, RejectNoWindows) {
    EXPECT_THAT(ids_refusal("[]"), HasSubstr("one or more windows"));
    EXPECT_THAT(ids_refusal("{}"), HasSubstr("one or more windows"));
}

TEST(WindowIds, RejectAWindowThatIsNoArray) {
    EXPECT_THAT(ids_refusal("[[1, 2], 3]"), HasSubstr("window 1"));
}

TEST(WindowIds, RejectAWindowOfLessThanTwoTokens) {
    EXPECT_THAT(ids_refusal("[[]]"), HasSubstr("window 0 has 0 tokens"));
    EXPECT_THAT(ids_refusal("[[1, 2], [3]]"), HasSubstr("window 1 has 1 tokens"));
}

TEST(WindowIds, RejectIdsOutsideTheVocabulary) {
    EXPECT_THAT(ids_refusal("[[1, 10]]"), HasSubstr("window 0"));
    EXPECT_THAT(ids_refusal("[[-1, 1]]"), HasSubstr("window 0"));
    EXPECT_THAT(ids_refusal("[[1, 2.5]]"), HasSubstr("window 0"));
    EXPECT_THAT(ids_refusal("[[1, \"2\"]]"), HasSubstr("window 0"));
}

TEST(WindowHash, DependsOnIdsAndBorders) {
    const std::vector<Window> joined = {{{1, 2, 3, 4}}};
    const std::vector<Window> split = {{{1, 2}}, {{3, 4}}};
    EXPECT_NE(windows_sha256(joined), windows_sha256(split));
    EXPECT_EQ(windows_sha256(split), windows_sha256(std::vector<Window>(split)));
    // Python: hashlib.sha256(struct.pack("<Q4i", 4, 1, 2, 3, 4)).hexdigest()
    EXPECT_EQ(windows_sha256(joined), "4cddf80646026ea50d3bbaeb479a1ca67b24a2e81a793b0c372c429223afdff8");
}

TEST(WindowHash, CoversContextsWhereTheyDiffer) {
    const std::vector<Window> none = {{{1, 2}}, {{3, 4, 5}}}, shared = {{{1, 2}, 1}, {{3, 4, 5}, 1}},
                              different = {{{1, 2}}, {{3, 4, 5}, 1}};
    EXPECT_EQ(windows_sha256(none), windows_sha256(shared));
    // Python: hashlib.sha256(struct.pack("<Q2iQ3i2q", 2, 1, 2, 3, 3, 4, 5, 0, 1)).hexdigest()
    EXPECT_EQ(windows_sha256(different), "c3ab4a83207fe0ee3668ceb08905457643fbff48af00b4df6e7de25f4180af18");
}

}  // namespace
}  // namespace assay
