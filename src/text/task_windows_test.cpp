#include "text/task_windows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "container/json.h"

namespace assay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Window = EvaluationWindow;

// Letters, a space, and "a b" merges: "ab" is one token, and so is " c".
Tokenizer tokenizer(bool adds_bos = false) {
    Json json = Json::parse(R"({
        "version": "1.0", "added_tokens": [], "normalizer": null, "pre_tokenizer": null, "post_processor": null,
        "decoder": {"type": "Fuse"},
        "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, " ": 3, "ab": 4, " c": 5, "<s>": 6},
                  "merges": [["a", "b"], [" ", "c"]]}})");
    json["added_tokens"] = Json::array({{{"id", 6},
                                         {"content", "<s>"},
                                         {"single_word", false},
                                         {"lstrip", false},
                                         {"rstrip", false},
                                         {"normalized", false},
                                         {"special", true}}});
    if (adds_bos)
        json["post_processor"] = Json::parse(R"({"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}], "pair": [],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [6], "tokens": ["<s>"]}}})");
    return Tokenizer::from_json(json.dump(), "tok.json");
}

Task asking(const std::string& context, const std::vector<TaskChoice>& choices,
            const std::string& prompt = "") {
    return {.name = "choices",
            .subjects = {{.prompt = prompt}},
            .questions = {{.id = "q7", .context = context, .choices = choices}}};
}

std::string refusal(const Task& task, std::int64_t max_tokens) {
    try {
        task_windows(task, tokenizer(), max_tokens);
    } catch (const FormatError& error) {
        return error.what();
    }
    return "accepted";
}

TEST(TaskWindows, ScoreTheContinuationBehindThePromptContextAndLead) {
    const Task task = asking("ab", {{.continuation = " ca"}, {.lead = "c", .continuation = " b"}}, "c");
    const TaskWindows made = task_windows(task, tokenizer(), 100);
    EXPECT_THAT(made.windows, ElementsAre(Window{{2, 4, 5, 0}, 1}, Window{{2, 4, 2, 3, 1}, 2}));
    EXPECT_EQ(made.shortened, 0);
}

// What the harness does: "b" joins the context's "a" to one token, so only that is scored.
TEST(TaskWindows, ScoreWhatLiesBehindTheContextsNumberOfTokens) {
    EXPECT_THAT(task_windows(asking("ca", {{.continuation = "bc"}}), tokenizer(), 100).windows,
                ElementsAre(Window{{2, 4, 2}, 1}));
    EXPECT_THAT(task_windows(asking("ca", {{.continuation = "b"}}), tokenizer(), 100).windows,
                ElementsAre(Window{{2, 4}, 0}));
}

TEST(TaskWindows, CountSpaceBehindTheContextToTheContinuation) {
    EXPECT_THAT(task_windows(asking("a ", {{.continuation = "cb"}}), tokenizer(), 100).windows,
                ElementsAre(Window{{0, 5, 1}, 0}));
}

TEST(TaskWindows, BeginWithBosWhereTheTokenizerPutsIt) {
    EXPECT_THAT(task_windows(asking("ab", {{.continuation = " c"}}), tokenizer(true), 100).windows,
                ElementsAre(Window{{6, 4, 5}, 1}));
    EXPECT_THAT(task_windows(asking("", {{.continuation = " c"}}), tokenizer(true), 100).windows,
                ElementsAre(Window{{6, 5}, 0}));
}

TEST(TaskWindows, KeepTheLastTokensOfWhatIsTooLong) {
    const TaskWindows made =
        task_windows(asking("cbcbcb", {{.continuation = " ca"}, {.continuation = " c"}}), tokenizer(), 4);
    EXPECT_THAT(made.windows, ElementsAre(Window{{2, 1, 5, 0}, 1}, Window{{1, 2, 1, 5}, 2}));
    EXPECT_EQ(made.shortened, 1);
}

TEST(TaskWindows, RejectAContinuationThatDoesNotFitNamingTheQuestion) {
    EXPECT_THAT(refusal(asking("a", {{.continuation = "cbcbc"}}), 5),
                HasSubstr("question q7: a choice of 5 tokens"));
    EXPECT_EQ(refusal(asking("a", {{.continuation = "cbcbc"}}), 6), "accepted");
}

TEST(TaskWindows, RejectAnEmptyContextWithoutATokenToStandForIt) {
    EXPECT_THAT(refusal(asking(" ", {{.continuation = "c"}}), 5), HasSubstr("neither BOS nor EOS"));
}

TEST(TaskWindows, RejectTextThatIsNotUtf8) {
    EXPECT_THAT(refusal(asking("\xff", {{.continuation = "c"}}), 5), HasSubstr("question q7"));
}

}  // namespace
}  // namespace assay
