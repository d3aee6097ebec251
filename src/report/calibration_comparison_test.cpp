#include "report/calibration_comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace assay {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

CalibrationRun run_of(const std::string& set, std::int64_t seed, double kl) {
    return {.treatment = "int4-g64:gptq",
            .set = set,
            .samples = 8,
            .length = 64,
            .seed = seed,
            .evaluations = {{.text = "wiki", .ppl = 20, .kl = kl}}};
}

CompareCalibrationResult example() {
    CompareCalibrationResult result;
    result.references = {{.text = "wiki", .ppl = 18}};
    result.runs = {run_of("c4", 0, 0.2), run_of("c4", 1, 0.3), run_of("random", 0, 0.9)};
    result.contrasts = {{.treatment = "int4-g64:gptq",
                         .text = "wiki",
                         .better = "c4",
                         .worse = "random",
                         .difference = 0.65,
                         .difference_ci95 = Interval{0.5, 0.8},
                         .q_value = 0.001,
                         .shown = true}};
    result.audits = {{.linear = "a",
                      .set = "c4",
                      .inputs = 64,
                      .positions = 512,
                      .effective_rank = 32,
                      .energy_overlap = {0.9}},
                     {.linear = "b",
                      .set = "c4",
                      .inputs = 64,
                      .positions = 512,
                      .effective_rank = 16,
                      .energy_overlap = {0.7}}};
    return result;
}

TEST(CalibrationComparisons, AverageOverSeeds) {
    const TextRows rows = calibration_rows(example());
    ASSERT_EQ(rows.rows.size(), 2u);
    EXPECT_THAT(rows.rows[0], ElementsAre("c4", "8 x 64", "int4-g64:gptq", "0.250", "0.200 to 0.300"));
    EXPECT_EQ(rows.rows[1].back(), "1");
}

TEST(CalibrationComparisons, NameThePoorestInput) {
    const TextRows rows = audit_rows(example());
    ASSERT_EQ(rows.rows.size(), 1u);
    EXPECT_EQ(rows.rows[0][3], "b");
    EXPECT_THAT(rows.rows[0][2], HasSubstr("25"));
}

TEST(CalibrationComparisons, SayWhetherRandomTokensAreTheWorst) {
    CompareCalibrationResult result = example();
    EXPECT_THAT(calibration_conclusions(result),
                Contains(HasSubstr("are the worst calibration on every text")));
    result.contrasts[0].shown = false;
    EXPECT_THAT(calibration_conclusions(result),
                Contains(HasSubstr("not shown to be the worst calibration: worse in 0 of 1")));
    EXPECT_THAT(contrast_rows(result).rows[0].back(), HasSubstr("no"));
}

CompareCalibrationResult with_task() {
    CompareCalibrationResult result = example();
    result.task = TaskBaseline{.task = "continuation",
                               .metric = "acc_norm",
                               .questions = 40,
                               .accuracy = 0.55,
                               .accuracy_ci95 = Interval{0.4, 0.7}};
    for (CalibrationRun& run : result.runs) {
        run.task = TaskOutcome{.task = "continuation",
                               .accuracy = run.set == "c4" ? 0.525 : 0.4,
                               .accuracy_ci95 = Interval{0.3, 0.6},
                               .comparison = {.flips_to_wrong = 3, .flips_to_right = 2, .mcnemar_p = 1},
                               .correct = std::vector<std::int64_t>(40, 1)};
    }
    result.accuracy_contrasts = {{.treatment = "int4-g64:gptq",
                                  .text = "continuation",
                                  .better = "c4",
                                  .worse = "random",
                                  .difference = 0.125,
                                  .difference_ci95 = Interval{0.05, 0.2},
                                  .q_value = 0.02,
                                  .shown = true}};
    return result;
}

TEST(CalibrationComparisons, TellTheTasksAnswersOfEachRun) {
    const TextRows rows = calibration_task_rows(with_task());
    ASSERT_EQ(rows.rows.size(), 4u);
    EXPECT_THAT(rows.rows[0], Contains(HasSubstr("55.0 %")));
    EXPECT_THAT(rows.rows[2], ElementsAre("c4", "8 x 64", "1", "int4-g64:gptq", HasSubstr("52.5 %"),
                                          HasSubstr("30.0 %"), "3", "2", HasSubstr("1")));
    EXPECT_EQ(calibration_task_title(with_task()), "continuation, acc_norm, 40 questions");
}

TEST(CalibrationComparisons, SaySetsAnswerMoreRightOnlyWhereItIsShown) {
    CompareCalibrationResult result = with_task();
    EXPECT_THAT(accuracy_contrast_rows(result).rows.at(0),
                ElementsAre("continuation", "c4", "random", "12.5", HasSubstr("5.0"), "0.020", "yes"));
    EXPECT_THAT(calibration_conclusions(result),
                Contains(HasSubstr("calibrated on c4 it answers more questions of continuation right than "
                                   "on random, by 12.5 points")));
    result.accuracy_contrasts->front().shown = false;
    EXPECT_THAT(calibration_conclusions(result), Contains(HasSubstr("No set is shown to answer more")));
    EXPECT_THAT(calibration_conclusions(result), Not(Contains(HasSubstr("calibrated on c4"))));
    EXPECT_THAT(calibration_conclusions(example()), Not(Contains(HasSubstr("answer"))));
}

TEST(CalibrationComparisons, OfNothingAreEmpty) {
    EXPECT_THAT(calibration_rows({}).rows, IsEmpty());
    EXPECT_THAT(contrast_rows({}).rows, IsEmpty());
    EXPECT_THAT(audit_rows({}).rows, IsEmpty());
    EXPECT_THAT(calibration_task_rows(example()).rows, IsEmpty());
    EXPECT_THAT(accuracy_contrast_rows(example()).rows, IsEmpty());
}

}  // namespace
}  // namespace assay
