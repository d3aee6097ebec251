// Blame on tiny models with planted differences.
#include "analyze/blame.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include "base/error.h"
#include "measure/runs.h"
#include "measure/summary.h"
#include "model/test_models.h"

namespace assay {
namespace {

class BlameTest : public ::testing::TestWithParam<bool> {
  protected:
    BlameTest() { config_.tied_head = GetParam(); }

    Model made(const std::function<void(MemoryWeights&)>& edit) const {
        const auto weights = random_weights(config_, 3);
        edit(*weights);
        return {"models/made", config_, make_blocks(config_), weights};
    }

    static void add_noise(std::span<float> values, double size, std::uint64_t seed) {
        Rng rng(seed);
        for (float& v : values) v += static_cast<float>(size * (rng.uniform() - 0.5));
    }

    static void blur(MemoryWeights& w) {
        std::uint64_t seed = 1;
        for (auto& [name, matrix] : w.matrices) add_noise(matrix.values(), 0.01, ++seed);
    }

    BlameResult blame(const Model& other, int threads = 2) {
        TestEngine engine(threads);
        if (options_.items.empty()) {
            options_.items.resize(other.items().size());
            std::iota(options_.items.begin(), options_.items.end(), std::size_t{0});
        }
        return measure_blame(made([](MemoryWeights&) {}), other, engine, windows_, options_);
    }

    ModelConfig config_ = small_llama_config();
    std::vector<EvaluationWindow> windows_ = with_context(random_windows({80, 64, 75}, 97), 5);
    SensitivityOptions options_{.treatments = {},
                                .items = {},
                                .method = SensitivityMethod::kHybrid,
                                .top = 4,
                                .seed = 1,
                                .parts = true};
};

INSTANTIATE_TEST_SUITE_P(Heads, BlameTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Tied" : "Untied"; });

TEST_P(BlameTest, NamesTheLinearThatWasDamagedMore) {
    const std::string name = "model.layers.1.self_attn.v_proj";
    const Model other = made([&](MemoryWeights& w) {
        blur(w);
        add_noise(w.matrices.at(name + ".weight").values().subspan(12 * 48, 12 * 48), 0.6, 77);  // head 1
    });
    const BlameResult result = blame(other);
    EXPECT_EQ(result.differences.size(), other.items().size());
    ASSERT_EQ(result.sensitivity.linears.size(), other.items().size());
    const SensitivityLinear& worst = result.sensitivity.linears.front();
    EXPECT_EQ(worst.name, name);
    EXPECT_EQ(worst.basis, "measured");
    EXPECT_EQ(worst.treatment, "made");
    ASSERT_TRUE(worst.parts.has_value());
    EXPECT_EQ(worst.parts->rows.size(), kKeptParts);
    ASSERT_EQ(worst.parts->heads.size(), 2u);
    EXPECT_GT(worst.parts->heads[1].share, 0.95);
    const auto block = std::max_element(result.blocks.begin(), result.blocks.end(),
                                        [](const auto& a, const auto& b) { return a.kl < b.kl; });
    EXPECT_EQ(block->block, 1);
}

TEST_P(BlameTest, TheTotalIsTheWholeModelsAndTheSumItsLinears) {
    const Model other = made(blur), reference = made([](MemoryWeights&) {});
    const BlameResult result = blame(other);
    TestEngine engine;
    const std::vector<assay::Run> runs{{&reference, nullptr}, {&other, nullptr}};
    const auto scores = measure_runs(engine, windows_, runs, {.keep_tokens = true});
    EXPECT_EQ(result.total, comparison_result(scores[0], scores[1], 80, options_.seed));
    double sum = 0;
    for (const SensitivityLinear& linear : result.sensitivity.linears) sum += linear.kl;
    EXPECT_DOUBLE_EQ(result.linears_kl, sum);
    EXPECT_FALSE(result.others);
    EXPECT_GT(result.linears_kl / result.total.comparison->kl_mean, 0.5);
    EXPECT_LT(result.linears_kl / result.total.comparison->kl_mean, 2);
}

// The only linear that differs: its swap is the whole difference.
TEST_P(BlameTest, ASingleDifferenceIsTheWholeDamage) {
    const Model other = made([](MemoryWeights& w) {
        add_noise(w.matrices.at("model.layers.0.mlp.down_proj.weight").values(), 0.1, 5);
    });
    const BlameResult result = blame(other);
    ASSERT_EQ(result.sensitivity.linears.size(), 1u);
    EXPECT_EQ(result.sensitivity.linears[0].kl, result.total.comparison->kl_mean);
    EXPECT_EQ(result.sensitivity.linears[0].share_of_damage, 1);
}

// Scores of rows that are looked up and of slices of the output layer take the other model's own rows.
TEST_P(BlameTest, EmbeddingAndHeadAreScoredByTheirOwnRows) {
    const Model other = made([](MemoryWeights& w) {
        add_noise(w.matrices.at("model.embed_tokens.weight").values(), 0.02, 5);
        if (const auto head = w.matrices.find("lm_head.weight"); head != w.matrices.end())
            add_noise(head->second.values(), 0.02, 6);
    });
    windows_ = with_context(random_windows(std::vector<int>(24, 100), 97), 5);
    const BlameResult result = blame(other);
    ASSERT_EQ(result.sensitivity.linears.size(), GetParam() ? 1u : 2u);
    for (const SensitivityLinear& linear : result.sensitivity.linears) {
        ASSERT_TRUE(linear.scored.has_value()) << linear.name;
        EXPECT_GT(linear.scored->kl / linear.kl, 0.5) << linear.name;
        EXPECT_LT(linear.scored->kl / linear.kl, 2) << linear.name;
    }
}

TEST_P(BlameTest, NormsAreMeasuredTogetherAndNamed) {
    const Model other = made([](MemoryWeights& w) {
        for (float& v : w.vectors.at("model.layers.0.input_layernorm.weight")) v *= 1.2f;
    });
    const BlameResult result = blame(other);
    EXPECT_TRUE(result.differences.empty());
    EXPECT_TRUE(result.sensitivity.linears.empty());
    ASSERT_EQ(result.other_differences.size(), 1u);
    EXPECT_EQ(result.other_differences[0].name, "model.layers.0.input_layernorm.weight");
    ASSERT_TRUE(result.others.has_value());
    EXPECT_GT(result.others->comparison->kl_mean, 0);
    EXPECT_EQ(result.others->comparison->kl_mean, result.total.comparison->kl_mean);
}

TEST_P(BlameTest, TheSameModelHasNoDifferenceAndNoDamage) {
    const BlameResult result = blame(made([](MemoryWeights&) {}));
    EXPECT_TRUE(result.differences.empty() && result.other_differences.empty());
    EXPECT_TRUE(result.sensitivity.linears.empty());
    EXPECT_EQ(result.total.comparison->kl_mean, 0);
    EXPECT_EQ(result.total.ppl, result.sensitivity.baseline.ppl);
    EXPECT_EQ(result.linears_kl, 0);
}

TEST_P(BlameTest, ThreadsChangeNoBit) {
    const Model other = made(blur);
    const BlameResult one = blame(other, 1);
    EXPECT_EQ(one, blame(other, 2));
    EXPECT_EQ(one, blame(other, 3));
}

TEST_P(BlameTest, AnotherShapeIsRefused) {
    ModelConfig config = config_;
    config.intermediate = 96;
    options_.items = {0};
    EXPECT_THROW(blame(random_model(config)), FormatError);
}

}  // namespace
}  // namespace assay
