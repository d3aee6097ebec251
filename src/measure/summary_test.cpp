// Means, differences and intervals, by hand.
#include "measure/summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"

namespace assay {
namespace {

using ::testing::ElementsAre;

const std::vector<BlockSums> kReference{{.window = 0, .tokens = 2, .nll_sum = 2, .top1 = 2},
                                        {.window = 0, .tokens = 2, .nll_sum = 4, .top1 = 2},
                                        {.window = 1, .tokens = 4, .nll_sum = 4, .top1 = 4}};
const std::vector<BlockSums> kRun{{.window = 0, .tokens = 2, .nll_sum = 3, .kl_sum = 0.5, .top1 = 1},
                                  {.window = 0, .tokens = 2, .nll_sum = 3.5, .kl_sum = 0, .top1 = 2},
                                  {.window = 1, .tokens = 4, .nll_sum = 5.5, .kl_sum = 0.3, .top1 = 4}};

void expect_contains(const std::optional<Interval>& interval, double value) {
    ASSERT_TRUE(interval);
    EXPECT_LT(interval->low, interval->high);
    EXPECT_LE(interval->low, value);
    EXPECT_GE(interval->high, value);
}

TEST(Summary, DamageByHand) {
    const DamageSummary s = summarize_damage(kReference, kRun, 1);
    EXPECT_DOUBLE_EQ(s.kl, 0.8 / 8);
    EXPECT_DOUBLE_EQ(s.delta_nll, (12.0 - 10.0) / 8);
    EXPECT_NEAR(s.delta_ppl, std::exp(1.5) - std::exp(1.25), 1e-14);
    EXPECT_NEAR(s.relative_delta_ppl, std::exp(1.5) / std::exp(1.25) - 1, 1e-14);
    EXPECT_DOUBLE_EQ(s.top1_agreement, 7.0 / 8);
}

TEST(Summary, IntervalsContainThePointEstimates) {
    const DamageSummary s = summarize_damage(kReference, kRun, 1);
    expect_contains(s.kl_ci95, s.kl);
    expect_contains(s.delta_nll_ci95, s.delta_nll);
    expect_contains(s.delta_ppl_ci95, s.delta_ppl);
    expect_contains(s.relative_delta_ppl_ci95, s.relative_delta_ppl);
}

TEST(Summary, IdenticalRunsDifferByExactlyNothing) {
    const DamageSummary s = summarize_damage(kReference, kReference, 1);
    EXPECT_EQ(s.kl, 0);
    EXPECT_EQ(s.delta_nll, 0);
    EXPECT_EQ(s.delta_ppl, 0);
    EXPECT_EQ(s.relative_delta_ppl, 0);
    EXPECT_EQ(s.top1_agreement, 1);
    for (const auto& interval : {s.kl_ci95, s.delta_nll_ci95, s.delta_ppl_ci95, s.relative_delta_ppl_ci95}) {
        ASSERT_TRUE(interval);
        EXPECT_EQ(*interval, (Interval{0, 0}));
    }
}

TEST(Summary, ARunThatIsBetterHasNegativeDeltas) {
    const DamageSummary s = summarize_damage(kRun, kReference, 1);
    EXPECT_DOUBLE_EQ(s.delta_nll, -0.25);
    EXPECT_NEAR(s.delta_ppl, std::exp(1.25) - std::exp(1.5), 1e-14);
}

TEST(Summary, OneBlockHasNoInterval) {
    const DamageSummary s = summarize_damage(std::span(kReference).first(1), std::span(kRun).first(1), 1);
    EXPECT_DOUBLE_EQ(s.kl, 0.25);
    EXPECT_FALSE(s.kl_ci95 || s.delta_nll_ci95 || s.delta_ppl_ci95 || s.relative_delta_ppl_ci95);
}

TEST(Summary, TheSameSeedGivesTheSameIntervals) {
    EXPECT_EQ(summarize_damage(kReference, kRun, 7).delta_ppl_ci95,
              summarize_damage(kReference, kRun, 7).delta_ppl_ci95);
}

TEST(Summary, RunsOnOtherPositionsAreRefused) {
    std::vector<BlockSums> other = kRun;
    other.pop_back();
    EXPECT_THROW(summarize_damage(kReference, other, 1), InvalidArgument);
    other = kRun;
    other[1].tokens = 3;
    EXPECT_THROW(summarize_damage(kReference, other, 1), InvalidArgument);
    other = kRun;
    other[1].window = 1;
    EXPECT_THROW(summarize_damage(kReference, other, 1), InvalidArgument);
    EXPECT_THROW(summarize_damage({}, {}, 1), InvalidArgument);
}

TEST(Summary, WindowSumsAddTheBlocksOfAWindow) {
    const auto windows = window_sums(kRun, true);
    ASSERT_EQ(windows.size(), 2u);
    EXPECT_EQ(windows[0], (WindowSums{.nll_sum = 6.5, .tokens = 4, .kl_sum = 0.5}));
    EXPECT_EQ(windows[1], (WindowSums{.nll_sum = 5.5, .tokens = 4, .kl_sum = 0.3}));
    EXPECT_FALSE(window_sums(kRun, false)[0].kl_sum);
}

TEST(Summary, PerplexityIsTheExponentialOfTheMeanNll) {
    const PerplexityResult result = perplexity_result(kReference, 5);
    EXPECT_DOUBLE_EQ(result.nll_mean, 1.25);
    EXPECT_DOUBLE_EQ(result.ppl, std::exp(1.25));
    EXPECT_EQ(result.tokens_scored, 8);
    EXPECT_EQ(result.window_tokens, 5);
    EXPECT_EQ(result.windows.size(), 2u);
    EXPECT_EQ(result.blocks, kReference);
    EXPECT_FALSE(result.comparison);
}

TEST(Summary, ThePerplexitysIntervalIsTheExponentialOfTheMeans) {
    const PerplexityResult result = perplexity_result(RunScores{.blocks = kReference}, 5, 1);
    // Means of the blocks: 1, 2 and 1; of three draws at least 1 in 27 is only the second.
    EXPECT_DOUBLE_EQ(result.ppl_ci95->low, std::exp(1));
    EXPECT_DOUBLE_EQ(result.ppl_ci95->high, std::exp(2));
    EXPECT_FALSE(result.ppl_standard_error);
    EXPECT_TRUE(
        perplexity_result(RunScores{.blocks = kReference, .token_nll = {1, 2}}, 5, 1).ppl_standard_error);
}

TEST(Summary, AComparisonHoldsBothRunsAndTheirDifference) {
    const RunScores reference{
        .blocks = kReference, .token_nll = {1, 1, 2, 2, 1, 1, 1, 1}, .token_kl = {0, 0, 0, 0, 0, 0, 0, 0}};
    const RunScores run{.blocks = kRun,
                        .token_nll = {1, 2, 1, 2.5, 1, 1.5, 1.5, 1.5},
                        .token_kl = {0.5, 0, 0, 0, 0.1, 0.1, 0.1, 0}};
    const PerplexityResult result = comparison_result(reference, run, 5, 1);
    ASSERT_TRUE(result.comparison);
    const Comparison& c = *result.comparison;
    EXPECT_DOUBLE_EQ(result.ppl, std::exp(1.5));
    EXPECT_DOUBLE_EQ(c.reference_ppl, std::exp(1.25));
    EXPECT_NEAR(c.delta_ppl, result.ppl - c.reference_ppl, 1e-14);
    EXPECT_DOUBLE_EQ(c.delta_nll, result.nll_mean - c.reference_nll_mean);
    EXPECT_NEAR(*c.ppl_ratio, result.ppl / c.reference_ppl, 1e-14);
    expect_contains(c.ppl_ratio_ci95, *c.ppl_ratio);
    expect_contains(c.top1_agreement_ci95, c.top1_agreement);
    EXPECT_EQ(result.windows[0].reference_nll_sum, 6);
    EXPECT_EQ(result.windows[1].reference_nll_sum, 4);
    std::vector<double> percents;
    for (const Percentile& p : c.kl_percentiles) percents.push_back(p.percent);
    EXPECT_THAT(percents, ElementsAre(100, 99.9, 99, 95, 90, 50, 10, 5, 1, 0.1, 0));
    EXPECT_EQ(c.kl_percentiles[0].value, 0.5);
    EXPECT_DOUBLE_EQ(c.kl_percentiles[5].value, 0.05);  // between the fourth and fifth of eight
}

TEST(Summary, WithoutTokensAComparisonHasOnlyWhatBlocksGive) {
    const Comparison c = *comparison_result({.blocks = kReference}, {.blocks = kRun}, 5, 1).comparison;
    EXPECT_DOUBLE_EQ(c.kl_mean, 0.1);
    EXPECT_TRUE(c.kl_percentiles.empty());
    EXPECT_FALSE(c.nll_correlation || c.delta_p);
}

}  // namespace
}  // namespace assay
