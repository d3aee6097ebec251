#include "analyze/nomination.h"

#include <gmock/gmock.h>

namespace assay {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

constexpr Cause kOutliers = Cause::kWeightOutliers, kRange = Cause::kVaryingRange;

ScreenedCause suspect(std::size_t item, Cause cause, double left, double most_left, double kl) {
    return {.item = item, .cause = cause, .left = left, .most_left = most_left, .kl = kl, .suspected = true};
}

std::vector<std::size_t> items_of(const std::vector<NominatedLinear>& linears) {
    std::vector<std::size_t> items;
    for (const NominatedLinear& n : linears) items.push_back(n.item);
    return items;
}

TEST(Nomination, WhatIsShownMostSurelyComesBeforeWhatOnlyLooksLarge) {
    // Linear 3 is known well; 1 and 2 look as if they had more of the cause, but may as well have less.
    const std::vector<ScreenedCause> screened{
        suspect(1, kOutliers, 0.60, 0.75, 1e-4), suspect(2, kOutliers, 0.62, 0.80, 1e-4),
        suspect(3, kOutliers, 0.65, 0.67, 1e-4), suspect(4, kOutliers, 0.53, 0.59, 1e-4),
        suspect(5, kOutliers, 0.85, 0.87, 2e-2), suspect(6, kOutliers, 0.80, 0.82, 2e-3)};
    EXPECT_THAT(items_of(choose_suspects({}, screened, 0)), ElementsAre(4, 3, 5, 6));
}

TEST(Nomination, ThoseThatACauseCostsMostAreOthersThanThoseThatShowIt) {
    const std::vector<ScreenedCause> screened{
        suspect(1, kRange, 0.56, 0.60, 1e-2), suspect(2, kRange, 0.57, 0.61, 1e-2),
        suspect(3, kRange, 0.79, 0.88, 2e-3), suspect(4, kRange, 0.80, 0.85, 1e-3),
        suspect(5, kRange, 0.85, 0.89, 1e-4)};
    EXPECT_THAT(items_of(choose_suspects({}, screened, 0)), UnorderedElementsAre(1, 2, 3, 4));
}

TEST(Nomination, TheWorstHaveAllTheirCausesAndTakeNoPlaces) {
    const std::vector<ScreenedCause> screened{
        suspect(1, kOutliers, 0.5, 0.6, 1e-2),
        suspect(1, kRange, 0.5, 0.6, 1e-2),
        suspect(2, kRange, 0.6, 0.7, 1e-3),
        suspect(3, kRange, 0.6, 0.7, 1e-9),
        {.item = 4, .cause = kRange, .left = 0.1, .most_left = 0.2, .kl = 1, .suspected = false}};
    const std::vector<std::size_t> worst{7, 1};
    const auto linears = choose_suspects(worst, screened, 1e-6);  // 3 is below the floor
    ASSERT_THAT(items_of(linears), ElementsAre(7, 1, 2));
    EXPECT_TRUE(linears[0].is_worst && linears[0].causes.empty());
    EXPECT_TRUE(linears[1].is_worst);
    EXPECT_THAT(linears[1].causes, ElementsAre(kOutliers, kRange));
    EXPECT_FALSE(linears[2].is_worst);
    EXPECT_THAT(linears[2].causes, ElementsAre(kRange));
}

}  // namespace
}  // namespace assay
