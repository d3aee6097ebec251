#include "text/continuation.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "text/builtin_text.h"

namespace assay {
namespace {

using ::testing::HasSubstr;

// Sentences of different lengths, all different.
std::string story(int sentences) {
    std::string text;
    for (int s = 0; s < sentences; ++s)
        text += fmt::format("On day {} the {}miller of the village went to the mill. ", s,
                            std::string(s % 7, 'o'));
    return text;
}

std::string refusal(std::string_view text) {
    try {
        continuation_task(text, "t.txt", {});
    } catch (const FormatError& error) {
        return error.what();
    }
    return "accepted";
}

std::string_view chosen(const TaskQuestion& question, std::size_t choice) {
    return std::string_view(question.choices[choice].continuation).substr(1);
}

TEST(Continuation, TheRightChoiceFollowsItsContextInTheText) {
    const std::string_view text = builtin_evaluation_text();
    const Task task = continuation_task(text, "t", {.questions = 100, .seed = 4});
    ASSERT_EQ(task.questions.size(), 100u);
    EXPECT_EQ(task.metric, TaskMetric::kAccNorm);
    for (const TaskQuestion& question : task.questions) {
        EXPECT_GE(question.context.size(), kContextBytes - 8);  // less the space at its ends
        ASSERT_EQ(question.choices.size(), 4u);
        const auto at = text.find(question.context);
        ASSERT_NE(at, text.npos);
        std::string_view rest = text.substr(at + question.context.size());
        rest.remove_prefix(rest.find_first_not_of(" \r\n"));
        EXPECT_EQ(rest.substr(0, chosen(question, question.answer).size()),
                  chosen(question, question.answer));
    }
}

TEST(Continuation, TheOthersAreFromElsewhereDifferentAndOfNearlyTheLength) {
    const std::string_view text = builtin_evaluation_text();
    for (const TaskQuestion& question : continuation_task(text, "t", {.questions = 100}).questions) {
        std::set<std::string_view> different;
        for (std::size_t c = 0; c < 4; ++c) {
            different.insert(chosen(question, c));
            EXPECT_NE(text.find(chosen(question, c)), text.npos);
            EXPECT_EQ(question.context.find(chosen(question, c)), question.context.npos);
            const auto length = static_cast<double>(characters(question.choices[c]));
            EXPECT_NEAR(length / static_cast<double>(characters(question.choices[question.answer])), 1, 0.3);
        }
        EXPECT_EQ(different.size(), 4u);
    }
}

TEST(Continuation, AnswersStandInEveryPlaceAboutEquallyOften) {
    std::vector<int> places(4);
    for (const TaskQuestion& question : continuation_task(builtin_evaluation_text(), "t", {}).questions)
        ++places[question.answer];
    for (int count : places) EXPECT_NEAR(count, 100, 35);  // four standard deviations
}

TEST(Continuation, IsTheSameForTheSameSeedOnly) {
    const std::string text = story(200);
    const auto one = continuation_task(text, "t", {.questions = 20, .seed = 1}).questions;
    EXPECT_EQ(continuation_task(text, "t", {.questions = 20, .seed = 1}).questions, one);
    EXPECT_NE(continuation_task(text, "t", {.questions = 20, .seed = 2}).questions, one);
}

TEST(Continuation, MoreQuestionsHoldTheFewerOnes) {
    const std::string text = story(200);
    const auto few = continuation_task(text, "t", {.questions = 10}).questions,
               many = continuation_task(text, "t", {.questions = 40}).questions;
    for (const TaskQuestion& question : few)
        EXPECT_NE(std::find(many.begin(), many.end(), question), many.end()) << question.id;
}

TEST(Continuation, RejectsTextsWithTooFewSentences) {
    EXPECT_THAT(refusal(story(20)), ::testing::AllOf(HasSubstr("t.txt"), HasSubstr("give a longer text")));
    EXPECT_THAT(refusal(""), HasSubstr("0 sentences"));
    EXPECT_EQ(refusal(story(60)), "accepted");
}

TEST(Continuation, RejectsTextsThatRepeatOneSentence) {
    std::string text;
    for (int i = 0; i < 100; ++i) text += "The same sentence stands here again and again. ";
    EXPECT_THAT(refusal(text), HasSubstr("repeat each other"));
}

TEST(Continuation, RejectsTextThatIsNotUtf8) {
    EXPECT_THAT(refusal(story(60) + "\xff"), HasSubstr("t.txt"));
}

}  // namespace
}  // namespace assay
