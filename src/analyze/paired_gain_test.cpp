#include "analyze/paired_gain.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/rng.h"
#include "quantize/interventions.h"

namespace assay {
namespace {

std::vector<BlockSums> blocks_of(const std::vector<double>& kl) {
    std::vector<BlockSums> out;
    for (double v : kl) out.push_back({.window = 0, .tokens = 10, .kl_sum = v});
    return out;
}

TEST(LogRatios, AreThatOfTheSumsWithInfluencesThatSumToZero) {
    const LogRatio r = log_damage_ratio(blocks_of({1, 2, 3}), blocks_of({1, 1, 1}), 0);
    EXPECT_NEAR(r.value, std::log(0.5), 1e-15);
    ASSERT_EQ(r.influence.size(), 3u);
    EXPECT_NEAR(r.influence[0], 3 * (1.0 / 3 - 1.0 / 6), 1e-15);
    EXPECT_NEAR(r.influence[0] + r.influence[1] + r.influence[2], 0, 1e-15);
}

TEST(LogRatios, DamageBelowTheFloorCountsAsTheFloor) {
    const LogRatio r = log_damage_ratio(blocks_of({1, 3}), blocks_of({0, 0}), 0.002);
    EXPECT_NEAR(r.value, std::log(0.04 / 4), 1e-12);
    EXPECT_EQ(log_damage_ratio(blocks_of({0, 0}), blocks_of({0, 0}), 0).value, 0);
    EXPECT_THROW(log_damage_ratio(blocks_of({1}), blocks_of({1, 1}), 0), InvalidArgument);
}

TEST(CauseTests, HaveTheirFormula) {
    const std::vector<LogRatio> own{{std::log(0.4), {0.2, -0.2}}, {std::log(0.5), {0.2, -0.2}}};
    const std::vector<LogRatio> twins{{std::log(0.8), {0.1, -0.1}}, {std::log(0.9), {-0.1, 0.1}}};
    LuckSums luck;
    luck.add(std::vector<double>{std::log(0.8 / 0.4), std::log(0.9 / 0.5)});
    const double d = std::log(0.8 / 0.4) - std::log(0.9 / 0.5);
    EXPECT_NEAR(luck.squares, d * d / 2, 1e-15);
    EXPECT_EQ(luck.freedom, 1);
    const CauseTest test = test_cause(own, twins, luck, 0.1);
    EXPECT_NEAR(test.gain, 1 - std::sqrt(0.2), 1e-15);
    EXPECT_NEAR(test.twin_gain, 1 - std::sqrt(0.72), 1e-15);
    EXPECT_NEAR(test.left(), std::sqrt(0.2 / 0.72), 1e-15);
    // Both parts have one degree of freedom: the p-value lies between those of one and of two.
    const double text = 0.04, chance = d * d / 2 / 2;
    const double t = std::log(std::sqrt(0.72 / 0.2) * 0.9) / std::sqrt(text + chance);
    EXPECT_LT(test.p_value, 0.5 - std::atan(t) / 3.15);
    EXPECT_GT(test.p_value, 0.5 - t / (2 * std::sqrt(2 + t * t)));
    // Without luck only the text counts, with one degree of freedom: the Cauchy tail.
    const double alone = std::log(std::sqrt(0.72 / 0.2) * 0.9) / std::sqrt(text);
    EXPECT_NEAR(test_cause(own, twins, std::nullopt, 0.1).p_value, 0.5 - std::atan(alone) / std::acos(-1.0),
                1e-12);
}

TEST(CauseTests, ProveNothingWithoutBlocksOrFreedom) {
    const std::vector<LogRatio> own{{-1, {0.1, -0.1}}}, twin{{0, {0, 0}}}, one{{-1, {0}}}, other{{0, {0}}};
    EXPECT_EQ(test_cause(one, other, LuckSums{.squares = 1, .freedom = 2}, 0).p_value, 1);
    EXPECT_EQ(test_cause(own, twin, LuckSums{}, 0).p_value, 1);
    EXPECT_THROW(test_cause(own, {}, LuckSums{}, 0), InvalidArgument);
    EXPECT_FALSE(mean_ratio_ci95({}, LuckSums{.squares = 1, .freedom = 2}));
}

TEST(CauseTests, AnExcessBelowTheMarginIsNoCause) {
    const std::vector<LogRatio> own{{std::log(0.85), {0.001, -0.001}}}, twin{{std::log(0.9), {0, 0}}};
    EXPECT_LT(test_cause(own, twin, std::nullopt, 0).p_value, 0.05);
    EXPECT_GT(test_cause(own, twin, std::nullopt, 0.1).p_value, 0.9);
}

// Normal numbers from the Gaussian twin of a row of ones.
std::vector<double> normals(std::int64_t n, std::uint64_t seed) {
    Matrix<float> ones(1, n);
    for (float& v : ones.values()) v = 1;
    const Matrix<float> z = gaussian_twin(ones.view(), seed);
    return {z.values().begin(), z.values().end()};
}

// Damages of a swap: its luck times each block's own size, with noise.
LogRatio random_ratio(double luck, const std::vector<double>& noise) {
    std::vector<double> before, after;
    for (std::size_t i = 0; i < 12; ++i) {
        before.push_back(1 + 0.3 * std::abs(noise[i]));
        after.push_back(0.7 * std::exp(luck) * (before[i] + 0.1 * noise[12 + i]));
    }
    return log_damage_ratio(blocks_of(before), blocks_of(after), 0);
}

TEST(CauseTests, ALinearLikeItsTwinsIsSeldomClaimed) {
    int claimed = 0;
    constexpr int kTrials = 2000;
    const auto lucks = normals(2 * 3 * 3 * kTrials, 1);
    for (int trial = 0; trial < kTrials; ++trial) {
        LuckSums luck;
        std::vector<std::vector<LogRatio>> own(3), twins(3);
        for (std::size_t cause = 0; cause < 3; ++cause) {
            std::vector<double> draws;
            for (std::size_t m = 0; m < 3; ++m) {
                const std::size_t draw = ((static_cast<std::size_t>(trial) * 3 + cause) * 3 + m) * 2;
                own[cause].push_back(random_ratio(0.2 * lucks[draw], normals(24, 1000 + draw)));
                twins[cause].push_back(random_ratio(0.2 * lucks[draw + 1], normals(24, 1001 + draw)));
                draws.push_back(twins[cause].back().value - own[cause].back().value);
            }
            luck.add(draws);
        }
        claimed += test_cause(own[0], twins[0], luck, 0).p_value < 0.05 ? 1 : 0;
    }
    EXPECT_GT(claimed, kTrials * 0.02);
    EXPECT_LT(claimed, kTrials * 0.075);
}

TEST(NoiseRatios, TheIntervalHoldsTheMeanOfTheTwins) {
    const std::vector<LogRatio> twins{{0.1, {0.05, -0.05}}, {-0.1, {-0.05, 0.05}}};
    LuckSums luck;
    luck.add(std::vector<double>{0.1, -0.1});
    const auto interval = mean_ratio_ci95(twins, luck);
    ASSERT_TRUE(interval);
    EXPECT_NEAR(interval->low * interval->high, 1, 1e-12);
    EXPECT_LT(interval->low, std::exp(-0.1));
}

TEST(PairedGains, AreDifferencesOfSums) {
    const auto before = blocks_of({1, 2, 3, 2}), after = blocks_of({0.5, 1, 1.5, 1});
    const PairedGain gain = paired_gain(before, after, 1);
    EXPECT_NEAR(gain.nats, 0.1, 1e-15);
    EXPECT_NEAR(gain.share, 0.5, 1e-15);
    ASSERT_TRUE(gain.share_ci95 && gain.nats_ci95);
    EXPECT_NEAR(gain.share_ci95->low, 0.5, 1e-12);  // every block gains the same share
    EXPECT_NEAR(gain.share_ci95->high, 0.5, 1e-12);
    EXPECT_LT(gain.nats_ci95->low, 0.1);
    EXPECT_EQ(paired_gain(before, before, 1).nats_ci95, (Interval{0, 0}));
    EXPECT_FALSE(paired_gain(blocks_of({1}), blocks_of({0}), 1).nats_ci95);
}

}  // namespace
}  // namespace assay
