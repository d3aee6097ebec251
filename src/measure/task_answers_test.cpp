#include "measure/task_answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "measure/runs.h"
#include "model/test_models.h"

namespace assay {
namespace {

using ::testing::ElementsAre;

// Two subjects, three questions of 2, 3 and 2 choices.
Task some_task() {
    const TaskChoice one{.continuation = " x"}, four{.continuation = " four"};
    return {.name = "choices",
            .subjects = {{.name = "a"}, {.name = "b"}},
            .questions = {{.id = "q0", .subject = 0, .choices = {one, four}, .answer = 1},
                          {.id = "q1", .subject = 0, .choices = {one, one, one}, .answer = 0},
                          {.id = "q2", .subject = 1, .choices = {four, one}, .answer = 0}}};
}

std::vector<BlockSums> blocks_of(const std::vector<double>& nll) {
    std::vector<BlockSums> blocks;
    for (std::size_t w = 0; w < nll.size(); ++w)
        blocks.push_back({.window = static_cast<std::int64_t>(w), .tokens = 1, .nll_sum = nll[w]});
    return blocks;
}

std::vector<std::int64_t> chosen(TaskMetric metric, const std::vector<BlockSums>& blocks) {
    std::vector<std::int64_t> all;
    for (const Answer& answer : answers(some_task(), metric, blocks)) all.push_back(answer.chosen);
    return all;
}

TEST(Answers, TakeTheLargestSumOrTheLargestPerCharacterAndTheFirstOnTies) {
    const auto blocks = blocks_of({2, 4, 5, 3, 3, 8, 2});
    EXPECT_THAT(chosen(TaskMetric::kAcc, blocks), ElementsAre(0, 1, 1));
    EXPECT_THAT(chosen(TaskMetric::kAccNorm, blocks),
                ElementsAre(1, 1, 0));  // 4 / 4 < 2 / 1; 8 / 4 ties with 2 / 1
}

TEST(Answers, AddUpTheBlocksOfAWindow) {
    auto blocks = blocks_of({2, 4, 5, 3, 3, 8, 2});
    blocks.insert(blocks.begin(), {.window = 0, .tokens = 64, .nll_sum = 3});
    EXPECT_THAT(answers(some_task(), TaskMetric::kAcc, blocks)[0].log_likelihoods, ElementsAre(-5, -4));
}

TEST(Answers, RejectScoresOfOtherWindows) {
    EXPECT_THROW(answers(some_task(), TaskMetric::kAcc, blocks_of({1, 2, 3, 4, 5, 6})), InvalidArgument);
    EXPECT_THROW(answers(some_task(), TaskMetric::kAcc, blocks_of({1, 2, 3, 4, 5, 6, 7, 8})),
                 InvalidArgument);
    auto gap = blocks_of({1, 2, 3, 4, 5, 6, 7});
    gap.erase(gap.begin() + 3);
    EXPECT_THROW(answers(some_task(), TaskMetric::kAcc, gap), InvalidArgument);
}

TEST(RightProbability, IsTheSoftmaxOfTheChoices) {
    const TaskQuestion question = some_task().questions[1];
    EXPECT_DOUBLE_EQ(
        right_probability(question, {.log_likelihoods = {std::log(0.2), std::log(0.1), std::log(0.1)}}), 0.5);
    EXPECT_EQ(right_probability(question, {.log_likelihoods = {-5000, -1, -1}}), 0);
}

TEST(CompareAnswers, CountsFlipsBothWaysAndChanges) {
    const Task task = some_task();
    // Right: q1, q2. Then q0 and q1 (q1 by another margin), and q2 wrong.
    const auto before = answers(task, TaskMetric::kAcc, blocks_of({1, 2, 1, 2, 2, 1, 2}));
    const auto after = answers(task, TaskMetric::kAcc, blocks_of({2, 1, 1, 9, 9, 2, 1}));
    const EvalComparison c = compare_answers(task, before, after);
    EXPECT_EQ(c.flips_to_wrong, 1);
    EXPECT_EQ(c.flips_to_right, 1);
    EXPECT_EQ(c.answers_changed, 2);
    EXPECT_EQ(c.accuracy_difference, 0);
    EXPECT_EQ(c.mcnemar_p, 1);
    EXPECT_DOUBLE_EQ(c.reference_accuracy, 2.0 / 3);
    const double e = std::exp(1.0);
    const double p0 = 1 / (1 + e), p1 = e / (1 + e);
    const double before_q1 = 1 / (1 + 2 / e), after_q1 = 1 / (1 + 2 * std::exp(-8.0));
    EXPECT_NEAR(c.right_probability_difference, ((p1 - p0) + (after_q1 - before_q1) + (p0 - p1)) / 3, 1e-15);
}

TEST(CompareAnswers, ARunBesideItselfDiffersByNothing) {
    const auto blocks = blocks_of({1, 2, 1, 2, 2, 1, 2});
    const EvalResult result = eval_result(some_task(), TaskMetric::kAcc, blocks, blocks);
    EXPECT_EQ(result.comparison->accuracy_difference, 0);
    EXPECT_EQ(result.comparison->right_probability_difference, 0);
    EXPECT_EQ(result.comparison->flips_to_wrong + result.comparison->flips_to_right, 0);
}

TEST(EvalResult, TellsAccuracyBySubjectAndBothMetrics) {
    const EvalResult result = eval_result(some_task(), TaskMetric::kAcc, blocks_of({2, 4, 5, 6, 7, 8, 2}));
    EXPECT_DOUBLE_EQ(result.accuracy, 1.0 / 3);
    EXPECT_DOUBLE_EQ(result.acc_norm, 1);
    EXPECT_DOUBLE_EQ(result.chance, (0.5 + 1.0 / 3 + 0.5) / 3);
    ASSERT_EQ(result.subjects.size(), 2u);
    EXPECT_DOUBLE_EQ(result.subjects[0].accuracy, 0.5);
    EXPECT_EQ(result.subjects[1].accuracy, 0);
    EXPECT_EQ(result.questions[2].chosen, 1);
    EXPECT_THAT(result.questions[2].characters, ElementsAre(4, 1));
    EXPECT_FALSE(result.comparison);
}

// The whole way through a model: Σ ln p of the continuation's tokens, from logits.
TEST(Answers, AreThoseOfTheModelsLogits) {
    const Model model = random_model(small_llama_config());
    TestEngine engine;
    auto windows = with_context(random_windows({12, 14, 9, 70, 13, 20, 6}, 97), 3);
    windows[3].context = 1;  // two blocks of scored positions
    const std::vector<assay::Run> runs{{&model, nullptr}};
    const auto scores = measure_runs(engine, windows, runs, {});
    std::size_t w = 0;
    for (const Answer& answer : answers(some_task(), TaskMetric::kAcc, scores[0].blocks)) {
        for (const double ll : answer.log_likelihoods) {
            const Matrix<float> logits = window_logits(model, engine, windows[w].tokens);
            double expected = 0;
            for (std::size_t t = static_cast<std::size_t>(windows[w].context);
                 t + 1 < windows[w].tokens.size(); ++t) {
                const auto row = logits.row(static_cast<std::int64_t>(t));
                double sum = 0;
                for (const float x : row) sum += std::exp(static_cast<double>(x));
                expected += row[static_cast<std::size_t>(windows[w].tokens[t + 1])] - std::log(sum);
            }
            EXPECT_NEAR(ll, expected, 1e-4) << w;
            ++w;
        }
    }
    EXPECT_EQ(w, windows.size());
}

}  // namespace
}  // namespace assay
