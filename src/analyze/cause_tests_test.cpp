// Claims need both halves of the windows.
#include "analyze/cause_tests.h"

#include <gtest/gtest.h>

namespace assay {
namespace {

// Four blocks a half; damage of each block is `decided`, on the held-out half `held_out`, times a factor that
// differs a little from block to block and draw to draw.
Halves swap_of(double decided, double held_out, std::size_t draw) {
    Halves out;
    for (std::size_t b = 0; b < 4; ++b) {
        const double wobble = 1 + 0.005 * static_cast<double>((7 * b + 5 * draw) % 11);
        out.decided.push_back({.window = 0, .tokens = 10, .kl_sum = decided * wobble});
        out.held_out.push_back({.window = 1, .tokens = 10, .kl_sum = held_out * wobble});
    }
    return out;
}

// Swaps of one linear whose intervention leaves these shares of the damage; the twin's leaves all of it.
TestedCause tested(double decided_left, double held_out_left) {
    std::vector<Halves> swaps;
    const auto three = [&](double decided, double held_out) {
        NoiseSwaps indexes;
        for (std::size_t r = 0; r < 3; ++r) {
            indexes.push_back(swaps.size());
            swaps.push_back(swap_of(decided, held_out, swaps.size()));
        }
        return indexes;
    };
    LinearPlan plan;
    plan.base = 0;
    plan.noise = three(1, 1);
    PlannedCause cause{.cause = Cause::kWeightOutliers, .remedies = {0}};
    cause.before = three(1, 1);
    cause.after = three(decided_left, held_out_left);
    cause.twin_before = three(1, 1);
    cause.twin_after = three(1, 1);
    plan.causes.push_back(cause);
    return test_causes({std::span(&plan, 1), swaps}).at(0);
}

TEST(CauseTestsOfPlans, ClaimWhatBothHalvesShow) {
    const TestedCause t = tested(0.5, 0.5);
    EXPECT_TRUE(t.claimed);
    EXPECT_EQ(t.cause, "weight_outliers");
    EXPECT_EQ(t.draws, 3u);
    EXPECT_NEAR(t.test.gain, 0.5, 0.02);
    EXPECT_NEAR(t.held_out.gain, 0.5, 0.02);
}

TEST(CauseTestsOfPlans, DoNotClaimWhatOneHalfAloneShows) {
    EXPECT_FALSE(tested(0.5, 0.95).claimed);
    EXPECT_FALSE(tested(0.95, 0.5).claimed);
    EXPECT_LT(tested(0.5, 0.95).q_value, 0.05);
}

TEST(CauseTestsOfPlans, TellHowMuchIsSurelyLeft) {
    const TestedCause t = tested(1, 1);
    EXPECT_GT(t.test.least_left, 0.9);
    EXPECT_LT(t.test.least_left, t.test.left());
}

TEST(CauseTestsOfPlans, AreNoneWithoutPlans) {
    EXPECT_TRUE(test_causes({}).empty());
}

}  // namespace
}  // namespace assay
