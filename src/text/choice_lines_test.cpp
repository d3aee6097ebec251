#include "text/choice_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "base/mapped_file.h"
#include "container/json.h"

namespace assay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

Task task_of(const char* file) {
    return parse_choice_lines(read_file(std::filesystem::path(ASSAY_TEST_DATA) / "tasks" / file), file);
}

std::vector<std::string> continuations(const TaskQuestion& question) {
    std::vector<std::string> texts;
    for (const TaskChoice& choice : question.choices) texts.push_back(choice.continuation);
    return texts;
}

std::string refusal(std::string_view text) {
    try {
        parse_choice_lines(text, "q.jsonl");
    } catch (const FormatError& error) {
        return error.what();
    }
    return "accepted";
}

std::string choices_line(int count, const std::string& answer) {
    Json line = {{"context", "a"},
                 {"choices", std::vector<std::string>(static_cast<std::size_t>(count), "b")}};
    line["answer"] = Json::parse(answer);
    return line.dump();
}

TEST(ChoiceLines, ReadHellaSwagAsTheHarnessCleansIt) {
    const Task task = task_of("hellaswag.jsonl");
    EXPECT_EQ(task.name, "hellaswag");
    EXPECT_EQ(task.metric, TaskMetric::kAccNorm);
    ASSERT_EQ(task.questions.size(), 2u);
    EXPECT_EQ(task.questions[0].id, "7");
    EXPECT_EQ(task.questions[0].context, "Painting a fence: A man opens a tin of paint. The man");
    EXPECT_THAT(continuations(task.questions[0]),
                ElementsAre(" dips a brush into it.", " eats the tin with a fork.",
                            " drives the fence to town.", " paints the sea."));
    EXPECT_EQ(task.questions[0].answer, 0u);
    EXPECT_EQ(task.questions[1].context, "Sewing: How to sew a button. Choose a thread.");
    EXPECT_EQ(task.questions[1].answer, 1u);
}

TEST(ChoiceLines, BracketsOpenAcrossALineEndStay) {
    const Task task = parse_choice_lines(
        R"({"activity_label":"a","ctx_a":"[b\nc] [d]e [","ctx_b":"fG","endings":["x","y"],"label":0})",
        "q.jsonl");
    EXPECT_EQ(task.questions[0].context, "a: [b\nc] e [ Fg");
}

TEST(ChoiceLines, ReadArcInBothOfItsLayouts) {
    const Task task = task_of("arc.jsonl");
    EXPECT_EQ(task.metric, TaskMetric::kAccNorm);
    EXPECT_EQ(task.questions[0].context, "Question: What gives plants their light?\nAnswer:");
    EXPECT_THAT(continuations(task.questions[0]), ElementsAre(" the moon", " the sun", " a stone"));
    EXPECT_EQ(task.questions[0].answer, 1u);
    EXPECT_EQ(task.questions[0].id, "sun");
    EXPECT_EQ(task.questions[1].context, "Question: What does ice become when it is warmed?\nAnswer:");
    EXPECT_THAT(continuations(task.questions[1]), ElementsAre(" water", " sand"));
    EXPECT_EQ(task.questions[1].answer, 0u);
}

TEST(ChoiceLines, ReadPiqa) {
    const Task task = task_of("piqa.jsonl");
    EXPECT_EQ(task.questions[0].context, "Question: Dry wet boots\nAnswer:");
    EXPECT_THAT(continuations(task.questions[0]),
                ElementsAre(" Put them into the pond.", " Stuff them with paper."));
    EXPECT_EQ(task.questions[0].answer, 1u);
    EXPECT_EQ(task.questions[0].id, "line 1");
}

TEST(ChoiceLines, ReadWinoGrandeSoThatWhatFollowsTheGapIsScored) {
    const Task task = task_of("winogrande.jsonl");
    EXPECT_EQ(task.metric, TaskMetric::kAcc);
    const TaskQuestion& question = task.questions[0];
    EXPECT_EQ(question.id, "w1");
    EXPECT_EQ(question.context, "");
    EXPECT_THAT(
        question.choices,
        ElementsAre(TaskChoice{"The cup did not fit into the box because the cup", " was too large."},
                    TaskChoice{"The cup did not fit into the box because the box", " was too large."}));
    EXPECT_EQ(question.answer, 0u);
}

TEST(ChoiceLines, ReadPlainChoicesAndSkipEmptyLines) {
    const Task task = task_of("choices.jsonl");
    EXPECT_EQ(task.name, "choices");
    ASSERT_EQ(task.questions.size(), 2u);
    EXPECT_EQ(task.questions[0].id, "1");
    EXPECT_EQ(task.questions[0].context, "The kettle whistles, so the water");
    EXPECT_THAT(continuations(task.questions[0]), ElementsAre(" boils.", " sleeps.", " is a bird."));
    EXPECT_EQ(task.questions[1].id, "line 3");
}

TEST(ChoiceLines, TakeFromTwoToTwentySixChoices) {
    EXPECT_EQ(refusal(choices_line(26, "25")), "accepted");
    EXPECT_THAT(refusal(choices_line(1, "0")),
                HasSubstr("q.jsonl: line 1 has 1 choices; 2 to 26 are possible"));
    EXPECT_THAT(refusal(choices_line(27, "0")), HasSubstr("27 choices"));
}

TEST(ChoiceLines, RejectAnAnswerThatIsNoChoice) {
    EXPECT_THAT(refusal(choices_line(3, "3")), HasSubstr("line 1: the answer is none of its 3 choices"));
    EXPECT_THAT(refusal(choices_line(3, "-1")), HasSubstr("answer"));
    EXPECT_THAT(refusal(choices_line(3, "\"x\"")), HasSubstr("answer is not the number of a choice"));
    EXPECT_THAT(refusal(choices_line(3, "1.0")), HasSubstr("expected an integer"));
    EXPECT_THAT(refusal(R"({"question":"a","choices":{"text":["b","c"],"label":["A","B"]},"answerKey":"C"})"),
                HasSubstr("none of its 2 choices"));
    EXPECT_THAT(refusal(R"({"sentence":"a _","option1":"b","option2":"c","answer":"0"})"),
                HasSubstr("answer"));
}

TEST(ChoiceLines, RejectAChoiceWithoutText) {
    EXPECT_THAT(refusal(R"({"context":"a","choices":["b"," "],"answer":0})"),
                HasSubstr("line 1 has a choice without text"));
    EXPECT_THAT(refusal(R"({"sentence":"It is a _","option1":"b","option2":"c","answer":"1"})"),
                HasSubstr("a choice without text"));
}

TEST(ChoiceLines, RejectASentenceWithoutAGap) {
    EXPECT_THAT(refusal(R"({"sentence":"no gap","option1":"b","option2":"c","answer":"1"})"),
                HasSubstr("has no gap"));
}

TEST(ChoiceLines, RejectTextsAndLabelsOfDifferentNumber) {
    EXPECT_THAT(refusal(R"({"question":"a","choices":{"text":["b","c"],"label":["A"]},"answerKey":"A"})"),
                HasSubstr("2 texts and 1 labels"));
}

TEST(ChoiceLines, RejectWhatFitsNoLayoutOrAnotherThanTheFirstLine) {
    EXPECT_THAT(refusal("[1]"), HasSubstr("line 1 is not a question"));
    EXPECT_THAT(refusal("{\"text\": \"a\"}"),
                HasSubstr("expected an object with context, choices and answer"));
    EXPECT_THAT(
        refusal(choices_line(2, "0") + "\n{\"goal\":\"a\",\"sol1\":\"b\",\"sol2\":\"c\",\"label\":0}"),
        HasSubstr("q.jsonl: line 2: context is missing"));
}

TEST(ChoiceLines, RejectBadJsonNamingTheLine) {
    EXPECT_THAT(refusal("\n\n{\"context\":"), StartsWith("q.jsonl: line 3: bad JSON"));
    EXPECT_THAT(refusal("\n \r\n"), HasSubstr("q.jsonl holds no question"));
}

}  // namespace
}  // namespace assay
