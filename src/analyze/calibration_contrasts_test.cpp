#include "analyze/calibration_contrasts.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/rng.h"

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
    const auto all = contrast_sets(three_seeds(0.2, 0.4, 0.01));
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].better, "good");
    EXPECT_EQ(all[0].worse, "random");
    EXPECT_TRUE(all[0].shown);
    EXPECT_NEAR(all[0].difference, 0.2, 0.05);
    ASSERT_TRUE(all[0].difference_ci95);
    EXPECT_GT(all[0].difference_ci95->low, 0);
}

TEST(CalibrationContrasts, TheBetterOneIsNamedFirstWhereverItStands) {
    const auto all = contrast_sets(three_seeds(0.4, 0.2, 0.01));
    EXPECT_EQ(all.at(0).better, "random");
    EXPECT_GT(all.at(0).difference, 0);
    EXPECT_LT(all.at(0).difference_ci95->low, all.at(0).difference);
}

TEST(CalibrationContrasts, WhatTheSeedsExplainIsNotShown) {
    EXPECT_FALSE(contrast_sets(three_seeds(0.30, 0.31, 0.3)).at(0).shown);
}

TEST(CalibrationContrasts, EqualSetsAreNotTold) {
    std::vector<CalibrationRun> runs{run_of("a", 0, 0.2, 0), run_of("a", 0, 0.2, 0)};
    runs[1].set = "b";
    const auto all = contrast_sets(runs);
    EXPECT_EQ(all.at(0).difference, 0);
    EXPECT_FALSE(all.at(0).shown);
}

TEST(CalibrationContrasts, OnlySetsOfOneSizeAreCompared) {
    auto runs = three_seeds(0.2, 0.4, 0.01);
    for (CalibrationRun& run : runs)
        if (run.set == "random") run.samples = 16;
    EXPECT_TRUE(contrast_sets(runs).empty());
    EXPECT_TRUE(contrast_sets({}).empty());
}

TEST(CalibrationContrasts, RefuseOtherPositions) {
    auto runs = three_seeds(0.2, 0.4, 0.01);
    runs[1].evaluations[0].blocks.pop_back();
    EXPECT_THROW(contrast_sets(runs), InvalidArgument);
}

}  // namespace
}  // namespace assay
