#include "measure/damage_estimate.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/rng.h"

namespace assay {
namespace {

// `windows` windows of `blocks` blocks, `tokens` scored tokens each.
ScoreResult layout(std::int64_t windows, std::int64_t blocks, std::int64_t tokens) {
    ScoreResult scores;
    for (std::int64_t w = 0; w < windows; ++w) {
        for (std::int64_t b = 0; b < blocks; ++b) scores.blocks.push_back({w, b * kScorePositions});
        scores.window_tokens.push_back(tokens);
    }
    return scores;
}

double normal(Rng& rng) {
    return std::sqrt(-2 * std::log(1 - rng.uniform())) * std::cos(2 * 3.14159265358979 * rng.uniform());
}

TEST(DamageEstimate, IsHalfTheMeanOfSquares) {
    const std::vector<double> sums{1, -2, 3, 0.5};
    const DamageEstimate e = estimate_damage(layout(2, 2, 10), sums);
    EXPECT_DOUBLE_EQ(e.kl, (1 + 4 + 9 + 0.25) / 2 / 20);
    EXPECT_DOUBLE_EQ(e.kl_windows, (1 + 3.5 * 3.5) / 2 / 20);
    EXPECT_DOUBLE_EQ(e.label_se, std::sqrt((1 + 16 + 81 + 0.0625) * 2 / 3) / 2 / 20);
    EXPECT_GE(e.se, e.label_se);
}

TEST(DamageEstimate, LabelErrorIsTheSpreadOverDraws) {
    const ScoreResult scores = layout(4, 16, 500);
    Rng rng(1);
    double mean = 0, square = 0, claimed = 0;
    constexpr int kDraws = 4000;
    for (int d = 0; d < kDraws; ++d) {
        std::vector<double> sums;
        for (std::size_t b = 0; b < scores.blocks.size(); ++b)
            sums.push_back((1 + static_cast<double>(b % 5)) * normal(rng));
        const DamageEstimate e = estimate_damage(scores, sums);
        mean += e.kl / kDraws;
        square += e.kl * e.kl / kDraws;
        claimed += e.label_se * e.label_se / kDraws;
    }
    EXPECT_NEAR(claimed / (square - mean * mean), 1, 0.1);
}

TEST(DamageEstimate, SeesTheSpreadBetweenWindows) {
    const ScoreResult scores = layout(10, 4, 100);
    std::vector<double> same(40, 1.0), uneven(40, 1.0);
    for (std::size_t b = 0; b < 4; ++b) uneven[b] = 6;
    EXPECT_DOUBLE_EQ(estimate_damage(scores, same).se, estimate_damage(scores, same).label_se);
    // 10 windows with ½ Σ S²: nine of 2, one of 72.
    const double mean = 90.0 / 1000, spread = 9 * std::pow(2 - 9, 2) + std::pow(72 - 9, 2);
    EXPECT_DOUBLE_EQ(estimate_damage(scores, uneven).kl, mean);
    EXPECT_NEAR(estimate_damage(scores, uneven).se,
                std::sqrt(10.0 / 9 * spread) / 1000 * 2.2621571628 / 1.9599639845, 1e-9);
}

TEST(DamageEstimate, NeedsOneSumABlock) {
    EXPECT_THROW(estimate_damage(layout(1, 2, 10), std::vector<double>{1}), InvalidArgument);
}

TEST(BlockRatio, DrawsFewEstimatesTowardsAllOfThem) {
    RatioSums all, few, many;
    for (int i = 0; i < 160; ++i) many.add({.kl = 1, .kl_windows = 2});
    few.add({.kl = 1, .kl_windows = 5});
    for (int i = 0; i < 100; ++i) all.add({.kl = 2, .kl_windows = 2});
    EXPECT_NEAR(block_ratio(many, all), (160 * 2 + 16 * 1) / 176.0, 1e-12);
    EXPECT_NEAR(block_ratio(few, all), (5 + 16 * 1) / 17.0, 1e-12);
    EXPECT_EQ(block_ratio({}, all), 1);
    EXPECT_EQ(block_ratio({}, {}), 1);
}

TEST(BlockRatio, LeavesOutWhatHasNoDamage) {
    RatioSums sums;
    sums.add({.kl = 0, .kl_windows = 0});
    EXPECT_EQ(sums.count, 0);
}

}  // namespace
}  // namespace assay
