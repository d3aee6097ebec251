#include "analyze/calibration_contrasts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/rng.h"
#include "stats/proportions.h"

namespace assay {
namespace {

// Blocks whose KL is `mean` per token on average, the text's part the same for all runs.
CalibrationRun run_of(const std::string& set, std::int64_t seed, double mean, double luck) {
    Rng text(1), own(static_cast<std::uint64_t>(seed) * 977 + set.size());
    EvaluationOutcome outcome{.text = "wiki"};
    const double moved = mean + luck * (own.uniform() - 0.5);
    for (int b = 0; b < 20; ++b)
        outcome.blocks.push_back({.window = b,
                                  .tokens = 10,
                                  .kl_sum = 10 * moved * (0.5 + text.uniform()) + 0.01 * own.uniform()});
    return {.treatment = "t", .set = set, .samples = 8, .length = 64, .seed = seed, .evaluations = {outcome}};
}

std::vector<CalibrationRun> three_seeds(double first, double second, double luck) {
    std::vector<CalibrationRun> runs;
    for (std::int64_t s = 0; s < 3; ++s) {
        runs.push_back(run_of("good", s, first, luck));
        runs.push_back(run_of("random", s, second, luck));
    }
    return runs;
}

TEST(CalibrationContrasts, ADifferenceBeyondTheLuckOfSeedsIsShown) {
    const auto all = contrast_sets(three_seeds(0.2, 0.4, 0.01)).damage;
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].better, "good");
    EXPECT_EQ(all[0].worse, "random");
    EXPECT_TRUE(all[0].shown);
    EXPECT_NEAR(all[0].difference, 0.2, 0.05);
    ASSERT_TRUE(all[0].difference_ci95);
    EXPECT_GT(all[0].difference_ci95->low, 0);
}

TEST(CalibrationContrasts, TheBetterOneIsNamedFirstWhereverItStands) {
    const auto all = contrast_sets(three_seeds(0.4, 0.2, 0.01)).damage;
    EXPECT_EQ(all.at(0).better, "random");
    EXPECT_GT(all.at(0).difference, 0);
    EXPECT_LT(all.at(0).difference_ci95->low, all.at(0).difference);
}

TEST(CalibrationContrasts, WhatTheSeedsExplainIsNotShown) {
    EXPECT_FALSE(contrast_sets(three_seeds(0.30, 0.31, 0.3)).damage.at(0).shown);
}

TEST(CalibrationContrasts, EqualSetsAreNotTold) {
    std::vector<CalibrationRun> runs{run_of("a", 0, 0.2, 0), run_of("a", 0, 0.2, 0)};
    runs[1].set = "b";
    const auto all = contrast_sets(runs).damage;
    EXPECT_EQ(all.at(0).difference, 0);
    EXPECT_FALSE(all.at(0).shown);
}

TEST(CalibrationContrasts, OnlySetsOfOneSizeAreCompared) {
    auto runs = three_seeds(0.2, 0.4, 0.01);
    for (CalibrationRun& run : runs)
        if (run.set == "random") run.samples = 16;
    EXPECT_TRUE(contrast_sets(runs).damage.empty());
    EXPECT_TRUE(contrast_sets({}).damage.empty());
    EXPECT_TRUE(contrast_sets(three_seeds(0.2, 0.4, 0.01)).accuracy.empty());
}

TEST(CalibrationContrasts, RefuseOtherPositions) {
    auto runs = three_seeds(0.2, 0.4, 0.01);
    runs[1].evaluations[0].blocks.pop_back();
    EXPECT_THROW(contrast_sets(runs), InvalidArgument);
}

// Each question is answered right with its own probability, moved by `gain`, the same questions for all runs.
void add_answers(std::int64_t questions, double gain, CalibrationRun& run) {
    Rng task(5), own(static_cast<std::uint64_t>(run.seed) * 991 + 31 * run.set.size());
    run.task = TaskOutcome{.task = "continuation"};
    for (std::int64_t q = 0; q < questions; ++q) {
        const double easy = task.uniform();
        // most answers are those of the untreated model
        const bool right = own.uniform() < 0.8 ? easy < 0.5 + gain : own.uniform() < 0.5 + gain;
        run.task->correct.push_back(right ? 1 : 0);
    }
}

std::vector<CalibrationRun> with_answers(std::int64_t seeds, std::int64_t questions, double gain) {
    std::vector<CalibrationRun> runs;
    for (std::int64_t s = 0; s < seeds; ++s) {
        for (const char* set : {"good", "random"}) {
            runs.push_back(run_of(set, s, 0.3, 0.1));
            add_answers(questions, std::string(set) == "good" ? gain : 0, runs.back());
        }
    }
    return runs;
}

double share_right(const CalibrationRun& run) {
    double sum = 0;
    for (const std::int64_t right : run.task->correct) sum += static_cast<double>(right);
    return sum / static_cast<double>(run.task->correct.size());
}

TEST(CalibrationContrasts, OfAccuracyShowAPlantedDifference) {
    for (const std::int64_t seeds : {1, 3}) {
        const auto runs = with_answers(seeds, 300, 0.3);
        const auto all = contrast_sets(runs);
        ASSERT_EQ(all.accuracy.size(), 1u);
        const CalibrationContrast& c = all.accuracy[0];
        EXPECT_EQ(c.text, "continuation");
        EXPECT_EQ(c.better, "good");
        EXPECT_EQ(c.worse, "random");
        EXPECT_TRUE(c.shown) << seeds;
        double mean = 0;
        for (const CalibrationRun& run : runs)
            mean += (run.set == "good" ? 1 : -1) * share_right(run) / static_cast<double>(seeds);
        EXPECT_NEAR(c.difference, mean, 1e-12);
        EXPECT_LT(c.difference_ci95.value().low, c.difference);
        EXPECT_GT(c.difference_ci95.value().low, 0);
        EXPECT_EQ(all.damage.size(), 1u);
    }
}

TEST(CalibrationContrasts, OfAccuracyWithOneSeedAreMcNemarsAndBonettAndPrices) {
    const auto runs = with_answers(1, 60, 0.2);
    std::int64_t good_only = 0, random_only = 0;
    for (std::size_t q = 0; q < 60; ++q) {
        good_only += runs[0].task->correct[q] > runs[1].task->correct[q] ? 1 : 0;
        random_only += runs[0].task->correct[q] < runs[1].task->correct[q] ? 1 : 0;
    }
    ASSERT_GT(good_only, random_only);
    std::vector<CalibrationRun> alone = runs;
    for (CalibrationRun& run : alone) run.evaluations.clear();  // one test: q is its p
    const CalibrationContrast c = contrast_sets(alone).accuracy.at(0);
    EXPECT_DOUBLE_EQ(c.q_value, mcnemar_p_value(random_only, good_only));
    EXPECT_EQ(c.difference_ci95, paired_difference_interval(random_only, good_only, 60));
    // reversed, the same
    std::swap(alone[0], alone[1]);
    const CalibrationContrast other = contrast_sets(alone).accuracy.at(0);
    EXPECT_EQ(other.better, c.better);
    EXPECT_DOUBLE_EQ(other.difference, c.difference);
    EXPECT_DOUBLE_EQ(other.q_value, c.q_value);
    EXPECT_NEAR(other.difference_ci95->low, c.difference_ci95->low, 1e-12);
}

TEST(CalibrationContrasts, OfAccuracyWithoutADifferenceAreSeldomShown) {
    for (const std::int64_t seeds : {1, 3}) {
        int shown = 0;
        for (std::int64_t trial = 0; trial < 200; ++trial) {
            auto runs = with_answers(seeds, 80, 0);
            for (CalibrationRun& run : runs) {
                run.evaluations.clear();
                run.seed += 1000 * (trial + 1);
                add_answers(80, 0, run);
            }
            shown += contrast_sets(runs).accuracy.at(0).shown ? 1 : 0;
        }
        EXPECT_LE(shown, 16) << seeds;  // 10 expected of an exact test; 16: mean and two deviations
    }
}

TEST(CalibrationContrasts, AFewQuestionsShowNothing) {
    // 4 of 4 questions that differ speak for one set: p of 2/16
    auto runs = with_answers(3, 40, 0);
    for (CalibrationRun& run : runs) {
        run.evaluations.clear();
        run.task->correct.assign(40, 1);
        if (run.set == "random") std::fill_n(run.task->correct.begin(), 4, 0);
    }
    const CalibrationContrast c = contrast_sets(runs).accuracy.at(0);
    EXPECT_EQ(c.better, "good");
    EXPECT_DOUBLE_EQ(c.difference, 0.1);
    EXPECT_DOUBLE_EQ(c.q_value, 0.125);
    EXPECT_FALSE(c.shown);
}

TEST(CalibrationContrasts, OfKlAndAccuracyAreControlledTogether) {
    auto runs = with_answers(1, 60, 0);
    for (CalibrationRun& run : runs) run.task->correct.assign(60, 1);  // a test that shows nothing
    auto without = runs;
    for (CalibrationRun& run : without) run.task.reset();
    const double alone = contrast_sets(without).damage.at(0).q_value,
                 beside = contrast_sets(runs).damage.at(0).q_value;
    EXPECT_DOUBLE_EQ(beside, std::min(1.0, 2 * alone));
    EXPECT_DOUBLE_EQ(contrast_sets(runs).accuracy.at(0).q_value, 1);
}

TEST(CalibrationContrasts, RefuseOtherQuestions) {
    auto runs = with_answers(3, 20, 0.2);
    runs[1].task->correct.pop_back();
    EXPECT_THROW(contrast_sets(runs), InvalidArgument);
}

}  // namespace
}  // namespace assay
