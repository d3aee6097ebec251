// Patterns in damages that were made with or without them.
#include "analyze/patterns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "analyze/edge_blocks.h"
#include "analyze/swap_sweep.h"
#include "base/error.h"
#include "base/rng.h"
#include "measure/output_errors.h"
#include "model/test_models.h"
#include "treat/treatment_overlay.h"

namespace assay {
namespace {

using ::testing::IsEmpty;

// `factor` times the damage in the first and last of ten blocks, `down` times in down_proj.
std::vector<SensitivityLinear> damages(double factor, double down, std::uint64_t seed) {
    Rng rng(seed);
    std::vector<SensitivityLinear> out;
    for (std::int64_t b = 0; b < 10; ++b) {
        for (const char* projection : {"q_proj", "up_proj", "down_proj"}) {
            SensitivityLinear l;
            l.name = std::to_string(b) + projection;
            l.block = b;
            l.projection = projection;
            l.kl = (0.8 + 0.4 * rng.uniform()) * (b == 0 || b == 9 ? factor : 1);
            if (l.projection == "down_proj") l.kl *= down;
            l.kl_ci95 = Interval{0.9 * l.kl, 1.1 * l.kl};
            out.push_back(std::move(l));
        }
    }
    SensitivityLinear head;
    head.name = "lm_head";
    head.kl = 1000;
    out.push_back(head);
    return out;
}

TEST(Patterns, AnEdgeThatIsMoreSensitiveIsSeenWithItsRatio) {
    const auto depth = depth_patterns(damages(6, 1, 1), 10, 1);
    ASSERT_EQ(depth.size(), 3u);
    EXPECT_EQ(depth[0].kind, "first_and_last_blocks");
    EXPECT_EQ(depth[0].linears, 6);
    EXPECT_NEAR(depth[0].ratio, 6, 0.8);
    ASSERT_TRUE(depth[0].ratio_ci95);
    EXPECT_LT(depth[0].ratio_ci95->low, depth[0].ratio);
    EXPECT_GT(depth[0].ratio_ci95->high, depth[0].ratio);
    EXPECT_LT(depth[0].ratio_ci95->high - depth[0].ratio_ci95->low, 1);
    EXPECT_LT(depth[0].p_value, 0.05);  // 2 of 45 pairs of blocks at least as far, both ways
}

TEST(Patterns, WithoutAPatternThePermutationTestIsSeldomSignificant) {
    int significant = 0;
    for (std::uint64_t seed = 0; seed < 40; ++seed)
        significant += depth_patterns(damages(1, 1, seed), 10, 1)[0].p_value < 0.05 ? 1 : 0;
    EXPECT_LE(significant, 6);
}

TEST(Patterns, AProjectionThatIsWorseComesFirst) {
    const auto projections = projection_patterns(damages(1, 4, 1), 1);
    ASSERT_EQ(projections.size(), 3u);
    EXPECT_EQ(projections[0].kind, "down_proj");
    EXPECT_NEAR(projections[0].ratio, 4, 0.5);
    EXPECT_LT(projections[0].p_value, 0.01);
    EXPECT_EQ(projections, projection_patterns(damages(1, 4, 1), 1));
}

TEST(Patterns, AModelOfOneBlockHasNoDepth) {
    auto all = damages(1, 1, 1);
    all.resize(3);
    EXPECT_THAT(depth_patterns(all, 1, 1), IsEmpty());
}

TEST(Indicators, AreRankCorrelationsOfWhatIsKnown) {
    std::vector<std::optional<double>> values;
    std::vector<double> kl;
    for (int i = 0; i < 12; ++i) {
        values.emplace_back(i * i);
        kl.push_back(i + 1);
    }
    values[3] = std::nullopt;
    const auto found = indicator("weight_error", values, kl, 1);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->linears, 11);
    EXPECT_NEAR(found->spearman, 1, 1e-12);
    EXPECT_NEAR(found->spearman_ci95->low, 1, 1e-12);
    EXPECT_FALSE(indicator("few", std::span(values).first(7), std::span(kl).first(7), 1));
}

TEST(Factors, MultiplyToTheDamageInUnitsOfTheMedianLinear) {
    const auto factors =
        damage_factors(std::vector<std::string>{"a", "b", "c", "exact"},
                       std::vector<double>{0.1, 0.2, 0.1, 0}, std::vector<double>{1, 4, 5, 0});
    ASSERT_EQ(factors.size(), 3u);
    EXPECT_NEAR(factors[0].care, 1, 1e-12);
    EXPECT_NEAR(factors[1].care, 1, 1e-12);
    EXPECT_NEAR(factors[2].care, 5, 1e-12);
}

TEST(OutputErrors, AreThoseOfExactSwaps) {
    const Model model = random_model(small_llama_config());
    TestEngine engine;
    const auto windows = with_context(random_windows({40, 50, 30}, 97), 4);
    const TreatmentOverlay coarse(parse_treatment("int3-g16"), [](const LinearItem&) { return true; });
    const ScaleOverlay one("model.layers.0.mlp.up_proj", 1.5f);
    const std::vector<const WeightOverlay*> treatments{&coarse, &one};
    std::vector<std::size_t> items;
    std::vector<Fork> forks;
    for (std::size_t i = 0; i < model.items().size(); ++i) {
        if (model.items()[i].block < 0) continue;
        items.push_back(i);
        forks.push_back({i, &coarse});
    }
    const auto errors = output_errors(model, engine, windows, items, treatments);
    const SweepResult sweep = sweep_swaps(model, engine, windows, forks, 1);
    for (std::size_t i = 0; i < items.size(); ++i) {
        EXPECT_NEAR(errors[i][0], *sweep.swaps[i].relative_output_error, 1e-5)
            << model.items()[items[i]].name;
        EXPECT_NEAR(errors[i][1], model.items()[items[i]].name == "model.layers.0.mlp.up_proj" ? 0.5 : 0,
                    1e-6);
    }
    engine.limits.state_bytes = 1;
    EXPECT_EQ(errors, output_errors(model, engine, windows, items, treatments));
    const std::vector<std::size_t> head{model.items().size() - 1};
    EXPECT_THROW(output_errors(model, engine, windows, head, treatments), InvalidArgument);
}

TEST(EdgeAdvice, MeasuresTheEdgesBesideRandomBlocks) {
    ModelConfig config = small_llama_config();
    config.layers = 9;
    config.layer.resize(9, config.layer.front());
    const auto weights = random_weights(config, 3);
    const Model model("random", config, make_blocks(config), weights);
    TestEngine engine;
    const auto windows = with_context(random_windows({70, 66, 80}, 97), 4);
    const Treatment treatment = parse_treatment("int3-g16");
    const auto advice = measure_edge_advice(model, engine, windows, treatment, 1);
    ASSERT_TRUE(advice);
    EXPECT_EQ(advice->edges.blocks, (std::vector<std::int64_t>{0, 1, 7, 8}));
    ASSERT_EQ(advice->random.size(), kRandomChoices);
    double mean = 0;
    for (const KeptBlocks& k : advice->random) {
        EXPECT_EQ(k.blocks.size(), 4u);
        for (std::int64_t b : k.blocks) EXPECT_TRUE(b > 1 && b < 7) << b;
        EXPECT_NEAR(k.kl + k.gain, advice->edges.kl + advice->edges.gain, 1e-12);
        mean += k.gain / 4;
    }
    EXPECT_NEAR(advice->advantage, advice->edges.gain - mean, 1e-12);
    EXPECT_EQ(advice, measure_edge_advice(model, engine, windows, treatment, 1));
    EXPECT_FALSE(measure_edge_advice(random_model(small_llama_config()), engine, windows, treatment, 1));
}

}  // namespace
}  // namespace assay
