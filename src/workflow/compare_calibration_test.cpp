// Calibrations compared by KL and by a task's accuracy, on a tiny model.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <numeric>

#include "base/error.h"
#include "base/rng.h"
#include "container/json.h"
#include "container/temporary_folder.h"
#include "workflow/byte_model.h"
#include "workflow/workflow.h"

namespace assay {
namespace {

constexpr std::int64_t kQuestions = 30;

class CompareCalibrationTest : public TemporaryFolder {
  protected:
    CompareCalibrationTest() {
        write_byte_model(folder_ / "m.gguf");
        std::ofstream(folder_ / "text.txt") << letters(400, 1);
        std::ofstream questions(folder_ / "task.jsonl");
        for (std::int64_t q = 0; q < kQuestions; ++q) {
            const auto seed = static_cast<std::uint64_t>(3 * q);
            questions << Json{{"context", letters(12, seed)},
                              {"choices", {letters(5, seed + 1), letters(7, seed + 2), letters(6, seed + 3)}},
                              {"answer", q % 3}}
                      << "\n";
        }
    }

    static std::string letters(int count, std::uint64_t seed) {
        Rng rng(seed, 4);
        std::string text;
        for (int i = 0; i < count; ++i) text += static_cast<char>('a' + rng.below(26));
        return text;
    }

    CalibrationOptions options() const {
        CalibrationOptions out{.model = {.model = folder_ / "m.gguf", .threads = 1},
                               .text = {.text = folder_ / "text.txt", .window = 40, .max_windows = 3},
                               .treatments = {"int2-g16:gptq"},
                               .sets = {"c4", "random"},
                               .calibration = {.samples = 3, .length = 48},
                               .counts = {},
                               .seeds = 2};
        out.task.task = folder_ / "task.jsonl";
        return out;
    }

    CompareCalibrationResult compare(const CalibrationOptions& asked) {
        return std::get<CompareCalibrationResult>(
            compare_calibration(asked, silent_progress(), cancel_).result);
    }

    EvalResult untreated() {
        EvalOptions asked = options().task;
        asked.model = options().model;
        return std::get<EvalResult>(measure_task(asked, silent_progress(), cancel_).result);
    }

    static CompareCalibrationResult without_times(CompareCalibrationResult result) {
        for (CalibrationRun& run : result.runs) run.seconds = 0;
        return result;
    }

    CancelToken cancel_;
};

TEST_F(CompareCalibrationTest, EveryRunAnswersTheTaskBesideTheModelAsItIs) {
    const CompareCalibrationResult result = compare(options());
    const EvalResult alone = untreated();
    ASSERT_TRUE(result.task);
    EXPECT_EQ(result.task->task, alone.task);
    EXPECT_EQ(result.task->metric, alone.metric);
    EXPECT_EQ(result.task->questions, kQuestions);
    EXPECT_EQ(result.task->accuracy, alone.accuracy);
    EXPECT_EQ(result.task->accuracy_ci95, alone.accuracy_ci95);
    ASSERT_EQ(result.runs.size(), 4u);
    std::int64_t flips = 0;
    for (const CalibrationRun& run : result.runs) {
        ASSERT_TRUE(run.task);
        const auto& correct = run.task->correct;
        ASSERT_EQ(std::ssize(correct), kQuestions);
        EXPECT_DOUBLE_EQ(run.task->accuracy,
                         std::accumulate(correct.begin(), correct.end(), 0.0) / kQuestions);
        std::int64_t to_wrong = 0, to_right = 0;
        for (std::size_t q = 0; q < correct.size(); ++q) {
            to_wrong += alone.questions[q].correct && correct[q] == 0 ? 1 : 0;
            to_right += !alone.questions[q].correct && correct[q] == 1 ? 1 : 0;
        }
        EXPECT_EQ(run.task->comparison.flips_to_wrong, to_wrong);
        EXPECT_EQ(run.task->comparison.flips_to_right, to_right);
        EXPECT_EQ(run.task->comparison.reference_accuracy, alone.accuracy);
        flips += to_wrong + to_right;
    }
    EXPECT_GT(flips, 0);
    ASSERT_TRUE(result.accuracy_contrasts);
    EXPECT_EQ(result.accuracy_contrasts->size(), 1u);
    EXPECT_EQ(result.accuracy_contrasts->front().text, alone.task);
    EXPECT_EQ(result.contrasts.size(), 2u);  // the text, and c4's held-out documents
}

TEST_F(CompareCalibrationTest, OtherLengthsOfTheFirstSetHaveAsManyTokens) {
    CalibrationOptions asked = options();
    asked.task = {};
    asked.seeds = 1;
    const CompareCalibrationResult usual = compare(asked);
    asked.lengths = {24, 48, 30};
    const CompareCalibrationResult result = compare(asked);
    std::vector<std::pair<std::int64_t, std::int64_t>> amounts;
    for (const CalibrationRun& run : result.runs) amounts.emplace_back(run.samples, run.length);
    EXPECT_THAT(amounts, ::testing::ElementsAre(std::pair(3, 48), std::pair(3, 48), std::pair(6, 24),
                                                std::pair(4, 30)));
    for (std::size_t i = 2; i < result.runs.size(); ++i) EXPECT_EQ(result.runs[i].set, "c4");
    EXPECT_EQ(result.audits, usual.audits);
    EXPECT_EQ(result.contrasts, usual.contrasts);
}

TEST_F(CompareCalibrationTest, WithoutATaskNothingElseChanges) {
    CalibrationOptions asked = options();
    asked.task = {};
    const CompareCalibrationResult without = compare(asked), with = compare(options());
    EXPECT_FALSE(without.task || without.accuracy_contrasts);
    ASSERT_EQ(without.runs.size(), with.runs.size());
    for (std::size_t r = 0; r < with.runs.size(); ++r) {
        EXPECT_FALSE(without.runs[r].task);
        EXPECT_EQ(without.runs[r].evaluations, with.runs[r].evaluations);
    }
    EXPECT_EQ(without.audits, with.audits);
    for (std::size_t c = 0; c < with.contrasts.size(); ++c)
        EXPECT_EQ(without.contrasts[c].difference_ci95, with.contrasts[c].difference_ci95);
}

TEST_F(CompareCalibrationTest, ThreadsChangeNoBit) {
    CalibrationOptions asked = options();
    asked.treatments = {"int3-g16:yaqa"};
    asked.sets = {"c4"};
    asked.seeds = 1;
    CalibrationOptions other = asked;
    other.model.threads = 3;
    const CompareCalibrationResult result = compare(asked);
    EXPECT_EQ(without_times(result), without_times(compare(other)));
}

TEST_F(CompareCalibrationTest, TasksAreRefusedAsEvalDoes) {
    CalibrationOptions asked = options();
    asked.task.task = "mmlu";
    EXPECT_THROW(compare(asked), InvalidArgument);  // no --task-data
    asked.task.task = folder_ / "nowhere.jsonl";
    EXPECT_THROW(compare(asked), Error);
    asked = options();
    asked.task.metric = "f1";
    EXPECT_THROW(compare(asked), InvalidArgument);
}

}  // namespace
}  // namespace assay
