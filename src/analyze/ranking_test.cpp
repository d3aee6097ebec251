// Ranks, categories and shares at their borders.
#include "analyze/ranking.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace assay {
namespace {

using ::testing::ElementsAre;

SensitivityLinear linear(std::string name, double kl) {
    SensitivityLinear l;
    l.name = std::move(name);
    l.kl = kl;
    return l;
}

std::vector<SensitivityLinear> ranked(std::vector<SensitivityLinear> linears) {
    rank_linears(linears);
    return linears;
}

std::string category(const std::vector<SensitivityLinear>& linears, const std::string& name) {
    return std::find_if(linears.begin(), linears.end(), [&](const auto& l) { return l.name == name; })
        ->category;
}

// 16 linears of mean damage 1, four of them as given; the rest share what is left.
std::vector<SensitivityLinear> with_mean_one(const std::vector<double>& given) {
    std::vector<SensitivityLinear> linears;
    for (std::size_t i = 0; i < given.size(); ++i)
        linears.push_back(linear("given" + std::to_string(i), given[i]));
    const double left = 16 - std::accumulate(given.begin(), given.end(), 0.0);
    const std::size_t others = 16 - given.size();
    for (std::size_t i = 0; i < others; ++i)
        linears.push_back(linear("other" + std::to_string(i), left / static_cast<double>(others)));
    return ranked(linears);
}

TEST(Ranking, SortsByDamageAndByNameOnTies) {
    const auto linears = ranked({linear("b", 1), linear("c", 2), linear("a", 1), linear("d", 0)});
    std::vector<std::string> names;
    std::vector<std::int64_t> ranks;
    for (const auto& l : linears) {
        names.push_back(l.name);
        ranks.push_back(l.rank);
    }
    EXPECT_THAT(names, ElementsAre("c", "a", "b", "d"));
    EXPECT_THAT(ranks, ElementsAre(1, 2, 3, 4));
}

TEST(Ranking, CategoriesBeginAtTheirBorders) {
    const auto linears = with_mean_one({8, 2, 0.5, 0.25});
    EXPECT_EQ(category(linears, "given0"), "critical");
    EXPECT_EQ(category(linears, "given1"), "high");
    EXPECT_EQ(category(linears, "given2"), "moderate");
    EXPECT_EQ(category(linears, "given3"), "low");
    const auto below = with_mean_one({7.9375, 1.9375, 0.4375, 0.25});
    EXPECT_EQ(category(below, "given0"), "high");
    EXPECT_EQ(category(below, "given1"), "moderate");
    EXPECT_EQ(category(below, "given2"), "low");
}

TEST(Ranking, AnIntervalThatReachesZeroIsNoDamage) {
    SensitivityLinear reaches = linear("reaches", 5), above = linear("above", 5);
    reaches.kl_ci95 = Interval{0, 9};
    above.kl_ci95 = Interval{1e-9, 9};
    const auto linears = ranked({reaches, above, linear("zero", 0), linear("negative", -1e-12)});
    EXPECT_EQ(category(linears, "reaches"), "none");
    EXPECT_NE(category(linears, "above"), "none");
    EXPECT_EQ(category(linears, "zero"), "none");
    EXPECT_EQ(category(linears, "negative"), "none");
    for (const auto& l : linears) EXPECT_FALSE(l.recommendation.empty());
}

TEST(Ranking, SharesSumToOne) {
    const auto linears = ranked({linear("a", 0.3), linear("b", 0.1), linear("c", 0.6)});
    double sum = 0;
    for (const auto& l : linears) sum += l.share_of_damage;
    EXPECT_NEAR(sum, 1, 1e-15);
    EXPECT_DOUBLE_EQ(linears[0].share_of_damage, 0.6);
    EXPECT_EQ(ranked({linear("a", 0)})[0].share_of_damage, 0);
    EXPECT_TRUE(ranked({}).empty());
}

TEST(Ranking, TheWorstPercentsAreRoundedUp) {
    const auto counts = [](std::size_t n) {
        std::vector<SensitivityLinear> linears;
        for (std::size_t i = 0; i < n; ++i) linears.push_back(linear("l" + std::to_string(i), 1));
        const DamageShares shares = damage_shares(ranked(linears));
        EXPECT_NEAR(shares.worst_5_percent.share_of_damage,
                    static_cast<double>(shares.worst_5_percent.linears.size()) / static_cast<double>(n),
                    1e-12);
        return std::pair(shares.worst_5_percent.linears.size(), shares.worst_10_percent.linears.size());
    };
    EXPECT_EQ(counts(1), std::pair(std::size_t{1}, std::size_t{1}));
    EXPECT_EQ(counts(10), std::pair(std::size_t{1}, std::size_t{1}));
    EXPECT_EQ(counts(11), std::pair(std::size_t{1}, std::size_t{2}));
    EXPECT_EQ(counts(20), std::pair(std::size_t{1}, std::size_t{2}));
    EXPECT_EQ(counts(21), std::pair(std::size_t{2}, std::size_t{3}));
    EXPECT_EQ(counts(211), std::pair(std::size_t{11}, std::size_t{22}));
}

TEST(Ranking, TheWorstComeFirst) {
    const DamageShares shares = damage_shares(ranked({linear("a", 1), linear("b", 3)}));
    EXPECT_THAT(shares.worst_5_percent.linears, ElementsAre("b"));
    EXPECT_DOUBLE_EQ(shares.worst_5_percent.share_of_damage, 0.75);
}

TEST(Ranking, DepthsOfShortAndLongModels) {
    const auto names = [](std::int64_t blocks) {
        std::vector<std::string> all;
        for (std::int64_t b = 0; b < blocks; ++b) all.push_back(depth_name(b, blocks));
        return all;
    };
    EXPECT_THAT(names(1), ElementsAre("first"));
    EXPECT_THAT(names(2), ElementsAre("first", "last"));
    EXPECT_THAT(names(3), ElementsAre("first", "early", "last"));
    EXPECT_THAT(names(5), ElementsAre("first", "early", "middle", "late", "last"));
    const auto thirty = names(30);
    EXPECT_EQ(std::count(thirty.begin(), thirty.end(), "early"), 10);
    EXPECT_EQ(std::count(thirty.begin(), thirty.end(), "middle"), 9);
    EXPECT_EQ(std::count(thirty.begin(), thirty.end(), "late"), 9);
    EXPECT_EQ(thirty[1], "early");
    EXPECT_EQ(thirty[28], "late");
}

WeightsLinear weight(std::string name, std::optional<double> relative_error) {
    WeightsLinear w;
    w.name = std::move(name);
    w.relative_error = relative_error;
    return w;
}

TEST(Ranking, CorrelationIsOverLinearsInBothLists) {
    const std::vector<WeightsLinear> weights{weight("a", 0.1), weight("b", 0.2), weight("c", 0.3),
                                             weight("only", 9), weight("none", {})};
    EXPECT_EQ(weight_error_correlation(weights, {linear("c", 3), linear("a", 1), linear("b", 2)}), 1.0);
    EXPECT_EQ(weight_error_correlation(weights,
                                       {linear("c", 1), linear("a", 3), linear("b", 2), linear("none", 9)}),
              -1.0);
    EXPECT_FALSE(weight_error_correlation(weights, {linear("a", 1), linear("b", 2), linear("none", 3)}));
    EXPECT_FALSE(weight_error_correlation(weights, {linear("a", 1), linear("b", 1), linear("c", 1)}));
}

}  // namespace
}  // namespace assay
