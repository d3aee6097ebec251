#include "text/windows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "base/error.h"

namespace assay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

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

TEST(Windows, DoNotOverlapAndDropTheIncompleteLastOne) {
    EXPECT_THAT(make_windows(count_to(8), {.window_tokens = 3}),
                ElementsAre(Window{0, 1, 2}, Window{3, 4, 5}));
    EXPECT_THAT(make_windows(count_to(6), {.window_tokens = 3}),
                ElementsAre(Window{0, 1, 2}, Window{3, 4, 5}));
}

TEST(Windows, AreLimitedAndShiftedOnRequest) {
    const auto ids = count_to(10);
    EXPECT_THAT(make_windows(ids, {.window_tokens = 2, .max_windows = 2}),
                ElementsAre(Window{0, 1}, Window{2, 3}));
    EXPECT_THAT(make_windows(ids, {.window_tokens = 2, .first_window = 4}), ElementsAre(Window{8, 9}));
    EXPECT_THAT(make_windows(ids, {.window_tokens = 2, .max_windows = 1, .first_window = 3}),
                ElementsAre(Window{6, 7}));
}

TEST(Windows, RejectATextShorterThanOne) {
    EXPECT_THAT(refusal([] { make_windows(count_to(5), {.window_tokens = 6}); }),
                ::testing::AllOf(HasSubstr("5 tokens"), HasSubstr("--window"), HasSubstr("longer text")));
    EXPECT_THAT(refusal([] { make_windows(count_to(5), {.window_tokens = 2, .first_window = 2}); }),
                HasSubstr("5 tokens"));
}

TEST(Windows, RejectAnEmptyText) {
    EXPECT_THAT(refusal([] { make_windows({}, {.window_tokens = 2}); }), HasSubstr("empty"));
}

TEST(Windows, RejectOptionsOutOfRange) {
    const auto ids = count_to(8);
    EXPECT_THROW(make_windows(ids, {.window_tokens = 1}), InvalidArgument);
    EXPECT_THROW(make_windows(ids, {.window_tokens = 2, .max_windows = -1}), InvalidArgument);
    EXPECT_THROW(make_windows(ids, {.window_tokens = 2, .first_window = -1}), InvalidArgument);
}

TEST(WindowIds, MayDifferInLength) {
    EXPECT_THAT(parse_ids("[[1, 2], [9, 0, 3]]", "ids.json", 10), ElementsAre(Window{1, 2}, Window{9, 0, 3}));
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
    const std::vector<Window> joined = {{1, 2, 3, 4}};
    const std::vector<Window> split = {{1, 2}, {3, 4}};
    EXPECT_NE(windows_sha256(joined), windows_sha256(split));
    EXPECT_EQ(windows_sha256(split), windows_sha256(std::vector<Window>(split)));
    // Python: hashlib.sha256(struct.pack("<Q4i", 4, 1, 2, 3, 4)).hexdigest()
    EXPECT_EQ(windows_sha256(joined), "4cddf80646026ea50d3bbaeb479a1ca67b24a2e81a793b0c372c429223afdff8");
}

}  // namespace
}  // namespace assay
