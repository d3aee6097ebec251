// Numbers of single tokens: by hand, and as llama.cpp's formulas give them on the same logits.
#include "measure/token_statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "measure/summary.h"

namespace assay {
namespace {

constexpr int kTokens = 150, kVocabulary = 13;

std::vector<double> log_softmax(const std::vector<double>& logits) {
    double sum = 0;
    for (double v : logits) sum += std::exp(v);
    std::vector<double> out;
    for (double v : logits) out.push_back(v - std::log(sum));
    return out;
}

std::ptrdiff_t top1(const std::vector<double>& values) {
    return std::max_element(values.begin(), values.end()) - values.begin();
}

struct TwoRuns {
    RunScores reference, run;
};

// The logits of tools/make_comparison_golden.py, in windows of 50 tokens, each a block.
TwoRuns golden_runs() {
    TwoRuns out;
    for (int i = 0; i < kTokens; ++i) {
        std::vector<double> base, q;
        for (int v = 0; v < kVocabulary; ++v) {
            base.push_back((37 * i + 53 * v + 7 * i * v) % 101 / 16.0);
            q.push_back(base.back() + ((29 * i + 17 * v) % 23 - 11) / 16.0);
        }
        const auto p_log = log_softmax(base), q_log = log_softmax(q);
        const auto target = static_cast<std::size_t>(5 * i % kVocabulary);
        double kl = 0;
        for (std::size_t v = 0; v < kVocabulary; ++v) kl += std::exp(p_log[v]) * (p_log[v] - q_log[v]);
        if (i % 50 == 0) {
            out.reference.blocks.push_back({.window = i / 50, .tokens = 50, .top1 = 50});
            out.run.blocks.push_back({.window = i / 50, .tokens = 50});
        }
        out.reference.blocks.back().nll_sum -= p_log[target];
        BlockSums& block = out.run.blocks.back();
        block.nll_sum -= q_log[target];
        block.kl_sum += kl;
        block.top1 += top1(base) == top1(q) ? 1 : 0;
        out.reference.token_nll.push_back(-p_log[target]);
        out.reference.token_kl.push_back(0);
        out.run.token_nll.push_back(-q_log[target]);
        out.run.token_kl.push_back(kl);
    }
    return out;
}

void expect_percentiles(const std::vector<Percentile>& actual, const std::vector<double>& expected) {
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t i = 0; i < actual.size(); ++i)
        EXPECT_NEAR(actual[i].value, expected[i], 1e-12) << actual[i].percent;
}

// Expected values: tools/make_comparison_golden.py.
TEST(TokenStatistics, AreLlamaCppsNumbersOnTheSameLogits) {
    const auto [reference, run] = golden_runs();
    const PerplexityResult result = comparison_result(reference, run, 51, 1);
    const Comparison& c = *result.comparison;
    EXPECT_NEAR(result.ppl, 55.3950709639393, 1e-11);
    EXPECT_NEAR(*result.ppl_standard_error, 8.745659235806485, 1e-11);
    EXPECT_NEAR(c.reference_ppl, 51.63707422815014, 1e-11);
    EXPECT_NEAR(*c.nll_correlation, 0.9733503427839707, 1e-12);
    EXPECT_NEAR(c.delta_nll, 0.0702507107362198, 1e-12);
    EXPECT_NEAR(*c.ppl_ratio, 1.0727771042794767, 1e-12);
    EXPECT_NEAR(c.delta_ppl, 3.757996735789156, 1e-11);
    EXPECT_NEAR(c.kl_mean, 0.07019049534010713, 1e-12);
    EXPECT_NEAR(c.delta_p->mean, 0.3575548159801018, 1e-12);
    EXPECT_NEAR(c.delta_p->rms, 3.5363980005861877, 1e-12);
    EXPECT_NEAR(c.top1_agreement, 0.6133333333333333, 1e-15);
    expect_percentiles(c.kl_percentiles,
                       {0.19148768530817054, 0.1884469228401658, 0.1636118607605933, 0.12028203139813798,
                        0.11004897497254926, 0.06766849732145991, 0.03547848222579343, 0.026507144178684328,
                        0.01568322384994911, 0.009554548458173663, 0.008631137455243161});
    expect_percentiles(
        c.delta_p->percentiles,
        {14.671891335651182, 14.577649561139278, 13.897637776960197, 8.026762896310213, 3.6226416117432523,
         0.49499883537864753, -0.0290387423337545, -0.6907241366662462, -2.704650706947133,
         -5.1912432814865355, -6.551777073441029, -7.778577052383412, -7.912904899364317});
}

TEST(TokenStatistics, ListsArePrintedFromTheLargestToTheSmallest) {
    const auto [reference, run] = golden_runs();
    const Comparison c = *comparison_result(reference, run, 51, 1).comparison;
    for (const auto* list : {&c.kl_percentiles, &c.delta_p->percentiles}) {
        EXPECT_EQ(list->front().percent, 100);
        EXPECT_EQ(list->back().percent, 0);
        EXPECT_TRUE(std::is_sorted(list->rbegin(), list->rend(),
                                   [](const auto& a, const auto& b) { return a.value < b.value; }));
    }
}

// Intervals of a mean and of a root of means over three blocks, each within the extremes of the blocks.
TEST(TokenStatistics, IntervalsLieBetweenTheWorstAndTheBestBlock) {
    const auto [reference, run] = golden_runs();
    const ProbabilityChange all = probability_change(reference.token_nll, run.token_nll, run.blocks, 1);
    double low = INFINITY, high = -INFINITY, low_rms = INFINITY, high_rms = 0;
    for (std::size_t b = 0; b < 3; ++b) {
        const ProbabilityChange one = probability_change(std::span(reference.token_nll).subspan(50 * b, 50),
                                                         std::span(run.token_nll).subspan(50 * b, 50),
                                                         std::span(run.blocks).subspan(b, 1), 1);
        EXPECT_FALSE(one.mean_ci95 || one.rms_ci95);  // of one block
        low = std::min(low, one.mean), high = std::max(high, one.mean);
        low_rms = std::min(low_rms, one.rms), high_rms = std::max(high_rms, one.rms);
    }
    // 2000 resamples of three blocks: one in 27 draws the same block three times, so the 2.5 % ends are
    // these.
    EXPECT_NEAR(all.mean_ci95->low, low, 1e-12);
    EXPECT_NEAR(all.mean_ci95->high, high, 1e-12);
    EXPECT_NEAR(all.rms_ci95->low, low_rms, 1e-12);
    EXPECT_NEAR(all.rms_ci95->high, high_rms, 1e-12);
}

TEST(TokenStatistics, OfARunWithItselfAreExactlyNothing) {
    const auto [reference, run] = golden_runs();
    RunScores same = reference;
    const Comparison c = *comparison_result(reference, same, 51, 1).comparison;
    EXPECT_EQ(c.nll_correlation, 1);
    EXPECT_EQ(c.ppl_ratio, 1);
    EXPECT_EQ(c.ppl_ratio_ci95, (Interval{1, 1}));
    EXPECT_EQ(c.top1_agreement_ci95, (Interval{1, 1}));
    EXPECT_EQ(c.delta_p->mean, 0);
    EXPECT_EQ(c.delta_p->rms, 0);
    EXPECT_EQ(c.delta_p->rms_ci95, (Interval{0, 0}));
    EXPECT_EQ(c.delta_p->percentiles.front().value, 0);
}

// Probabilities 1/2 and 1/4, then 1/8 and 1/2: Δp = 25 and -37.5.
TEST(TokenStatistics, DeltaPIsInPercentagePoints) {
    const std::vector<double> reference{std::log(4), std::log(2)}, run{std::log(2), std::log(8)};
    const std::vector<BlockSums> blocks{{.tokens = 2}};
    const ProbabilityChange change = probability_change(reference, run, blocks, 1);
    EXPECT_NEAR(change.mean, -6.25, 1e-13);
    EXPECT_NEAR(change.rms, std::sqrt((25 * 25 + 37.5 * 37.5) / 2), 1e-13);
    EXPECT_NEAR(change.percentiles[6].value, -6.25, 1e-13);  // the median
}

// NLLs 1, 2, 6: mean 3, mean of squares 41/3, variance 14/3.
TEST(TokenStatistics, TheStandardErrorByHand) {
    EXPECT_NEAR(*ppl_standard_error(std::vector<double>{1, 2, 6}), std::exp(3) * std::sqrt(14.0 / 3 / 2),
                1e-13);
    EXPECT_FALSE(ppl_standard_error(std::vector<double>{1}));
    EXPECT_FALSE(ppl_standard_error({}));
}

TEST(TokenStatistics, RefuseTokensThatDoNotFitTheBlocks) {
    const std::vector<double> two{1, 2}, three{1, 2, 3};
    const std::vector<BlockSums> blocks{{.tokens = 2}};
    EXPECT_THROW(probability_change(three, three, blocks, 1), InvalidArgument);
    EXPECT_THROW(probability_change(two, three, blocks, 1), InvalidArgument);
}

}  // namespace
}  // namespace assay
