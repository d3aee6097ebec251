#include "text/mmlu.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "base/mapped_file.h"

namespace assay {
namespace {

using ::testing::HasSubstr;

std::vector<MmluRow> rows_of(const char* file) {
    return parse_mmlu(read_file(std::filesystem::path(ASSAY_TEST_DATA) / "tasks" / "mmlu" / file), file);
}

std::string refusal(std::string_view text) {
    try {
        parse_mmlu(text, "m.csv");
    } catch (const FormatError& error) {
        return error.what();
    }
    return "accepted";
}

TEST(Mmlu, ReadsNumbersUnderAHeaderAndLettersWithoutOne) {
    const auto kitchen = rows_of("test/kitchen_test.csv"), village = rows_of("test/village_test.csv");
    ASSERT_EQ(kitchen.size(), 4u);
    EXPECT_EQ(kitchen[2], (MmluRow{"Two eggs weigh 120 grams.\nWhat does one weigh?",
                                   {"30 grams", "240 grams", "60 grams", "12 grams"},
                                   2}));
    ASSERT_EQ(village.size(), 3u);
    EXPECT_EQ(village[0].answer, 0u);
    EXPECT_EQ(village[1].answer, 3u);
}

TEST(Mmlu, AsksAsTheHarnessDoes) {
    const auto test = rows_of("test/kitchen_test.csv");
    const auto dev = rows_of("dev/kitchen_dev.csv");
    const TaskQuestion question = mmlu_question(test[1], 3, "kitchen/1");
    EXPECT_EQ(
        question.context,
        "What does water do at 100 degrees, at sea level?\nA. It freezes\nB. It boils\nC. It burns\nD. It "
        "sets\nAnswer:");
    EXPECT_EQ(question.subject, 3u);
    EXPECT_EQ(question.answer, 1u);
    ASSERT_EQ(question.choices.size(), 4u);
    EXPECT_EQ(question.choices[3], (TaskChoice{"", " D"}));
    EXPECT_EQ(mmlu_prompt("cold_kitchen", std::span(dev).first(2)),
              "The following are multiple choice questions (with answers) about cold kitchen.\n\n"
              "What turns cream into butter?\nA. Shaking it\nB. Freezing it\nC. Salting it\nD. Boiling "
              "it\nAnswer: A\n\n"
              "Which of these is used to weigh flour?\nA. A whisk\nB. A scale\nC. A sieve\nD. A spoon, a "
              "fork\nAnswer: B\n\n");
}

TEST(Mmlu, RejectsAnswersThatAreNoneNamingTheLine) {
    EXPECT_THAT(refusal("q,a,b,c,d,A\nq,a,b,c,d,E\n"), HasSubstr("m.csv: line 2: the answer"));
    EXPECT_THAT(refusal("q,a,b,c,d,\n"), HasSubstr("the answer"));
    EXPECT_THAT(refusal("q,a,b,c,d,4\n"), HasSubstr("the answer"));
    EXPECT_THAT(refusal("q,a,b,c,d,0\nquestion,a,b,c,d,answer\n"), HasSubstr("line 2"));
}

TEST(Mmlu, RejectsAnotherNumberOfFields) {
    EXPECT_THAT(refusal("q,a,b,c,A\n"), HasSubstr("line 1: 5 fields, expected 6"));
}

TEST(Mmlu, RejectsAnEmptyQuestion) {
    EXPECT_THAT(refusal(" ,a,b,c,d,A\n"), HasSubstr("line 1: the question is empty"));
}

TEST(Mmlu, RejectsTextThatIsNotUtf8) {
    EXPECT_THAT(refusal("q\xff,a,b,c,d,A\n"), HasSubstr("m.csv"));
}

}  // namespace
}  // namespace assay
