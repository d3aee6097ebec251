// The exact sweep against whole runs of each swapped model, and its errors against the linears' own inputs.
#include "analyze/sensitivity.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "model/test_models.h"
#include "treat/treatment_overlay.h"

namespace assay {
namespace {

class SensitivityTest : public ::testing::TestWithParam<bool> {
  protected:
    SensitivityTest() {
        config_.tied_head = GetParam();
        model_ = std::make_unique<Model>(random_model(config_));
        options_.items.resize(model_->items().size());
        std::iota(options_.items.begin(), options_.items.end(), std::size_t{0});
    }

    SensitivityResult sweep(int threads = 2) {
        TestEngine engine(threads);
        engine.limits = limits_;
        return measure_sensitivity(*model_, engine, windows_, options_);
    }

    static const SensitivityLinear& find(const SensitivityResult& result, const std::string& name) {
        return *std::find_if(result.linears.begin(), result.linears.end(),
                             [&](const auto& l) { return l.name == name; });
    }

    ModelConfig config_ = small_llama_config();
    std::unique_ptr<Model> model_;
    MemoryLimits limits_;
    SensitivityOptions options_{.treatments = {parse_treatment("int3-g16")}, .items = {}, .seed = 1};
    std::vector<EvaluationWindow> windows_ = with_context(random_windows({80, 13, 75}, 97), 5);
};

INSTANTIATE_TEST_SUITE_P(Heads, SensitivityTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Tied" : "Untied"; });

TEST_P(SensitivityTest, TheSweepEqualsEveryNaiveSwapBitForBit) {
    const SensitivityResult result = sweep();
    ASSERT_EQ(result.linears.size(), model_->items().size());
    TestEngine engine;
    for (std::size_t i = 0; i < model_->items().size(); ++i) {
        const SensitivityLinear& linear = find(result, model_->items()[i].name);
        EXPECT_EQ(linear.blocks, measure_swap_naively(*model_, engine, windows_, options_.treatments[0], i))
            << linear.name;
        EXPECT_GT(linear.kl, 0) << linear.name;
    }
}

TEST_P(SensitivityTest, ThreadsChangeNoBit) {
    const SensitivityResult one = sweep(1);
    EXPECT_EQ(one, sweep(2));
    EXPECT_EQ(one, sweep(3));
}

TEST_P(SensitivityTest, GroupsChangeNoBit) {
    const SensitivityResult whole = sweep();
    limits_.state_bytes = 1;
    EXPECT_EQ(whole, sweep());
}

TEST_P(SensitivityTest, OtherItemsChangeNoSwapsSums) {
    const SensitivityResult all = sweep();
    options_.items = {3, 9};
    const SensitivityResult two = sweep();
    ASSERT_EQ(two.linears.size(), 2u);
    for (const SensitivityLinear& linear : two.linears) {
        EXPECT_EQ(linear.blocks, find(all, linear.name).blocks);
        EXPECT_EQ(linear.kl_ci95, find(all, linear.name).kl_ci95);
    }
}

TEST_P(SensitivityTest, TheControlIsExactlyZero) {
    const SensitivityResult result = sweep();
    EXPECT_EQ(result.control->kl, 0);
    EXPECT_TRUE(result.control->identical);
}

TEST_P(SensitivityTest, LinearsComeByRankWithSharesThatSumToOne) {
    const SensitivityResult result = sweep();
    double shares = 0;
    for (std::size_t i = 0; i < result.linears.size(); ++i) {
        EXPECT_EQ(result.linears[i].rank, static_cast<std::int64_t>(i) + 1);
        EXPECT_LE(result.linears[i].kl, result.linears[i == 0 ? 0 : i - 1].kl);
        shares += result.linears[i].share_of_damage;
    }
    EXPECT_NEAR(shares, 1, 1e-12);
}

TEST_P(SensitivityTest, PropagationHasOneNumberABlockFromTheSwapOn) {
    const SensitivityResult result = sweep();
    for (const LinearItem& item : model_->items()) {
        const SensitivityLinear& linear = find(result, item.name);
        const bool head = item.role == LinearItem::Role::kHead, block = item.role == LinearItem::Role::kBlock;
        const std::size_t expected = head    ? 0
                                     : block ? static_cast<std::size_t>(config_.layers - item.block)
                                             : static_cast<std::size_t>(config_.layers);
        EXPECT_EQ(linear.propagation.size(), expected) << item.name;
        for (double p : linear.propagation) EXPECT_GT(p, 0) << item.name;
        EXPECT_EQ(linear.block.has_value(), block);
        EXPECT_EQ(linear.relative_output_error.has_value(), block);
        EXPECT_EQ(linear.parameters, item.out * item.in);
        EXPECT_EQ(linear.depth, head ? "head" : !block ? "embedding" : item.block == 0 ? "first" : "last");
    }
}

TEST_P(SensitivityTest, DamagePerOutputErrorIsTheirRatio) {
    for (const SensitivityLinear& linear : sweep().linears) {
        if (!linear.relative_output_error) continue;
        const double error = *linear.relative_output_error;
        EXPECT_DOUBLE_EQ(linear.damage_per_output_error.value(), linear.kl / (error * error));
    }
}

// Keeps the inputs of all linears.
class InputTap final : public Tap {
  public:
    explicit InputTap(compute::Backend& backend) : backend_(backend) {}
    void linear(const LinearItem& item, const compute::Batch& /*rows*/, const compute::Tensor& input,
                const compute::Tensor& /*output*/) override {
        Matrix<float> x(input.rows(), input.cols());
        backend_.download(input, x.view());
        inputs[item.name] = std::move(x);
    }
    void block(std::int64_t, const TokenChunk&, const compute::Tensor&) override {}
    std::map<std::string, Matrix<float>> inputs;

  private:
    compute::Backend& backend_;
};

double squared_norm_of_product(const Matrix<float>& x, const Matrix<float>& w) {
    double total = 0;
    for (std::int64_t t = 0; t < x.rows(); ++t) {
        for (std::int64_t o = 0; o < w.rows(); ++o) {
            double y = 0;
            for (std::int64_t c = 0; c < x.cols(); ++c)
                y += static_cast<double>(x.view()(t, c)) * static_cast<double>(w.view()(o, c));
            total += y * y;
        }
    }
    return total;
}

TEST_P(SensitivityTest, RelativeOutputErrorIsThatOfTheLinearsOwnInput) {
    const SensitivityResult result = sweep();
    TestEngine engine;
    InputTap tap(*engine.backend);
    run_pass(*model_, engine, make_chunks(windows_, 4096), {.tap = &tap});
    for (const LinearItem& item : model_->items()) {
        if (item.role != LinearItem::Role::kBlock) continue;
        const Matrix<float> w = read_weight(model_->weights(), item.name);
        Matrix<float> change = w;
        apply_treatment(options_.treatments[0], item, change.view(), engine.pool);
        for (std::size_t i = 0; i < change.values().size(); ++i) change.values()[i] -= w.values()[i];
        const Matrix<float>& x = tap.inputs.at(item.name);
        const double expected = std::sqrt(squared_norm_of_product(x, change) / squared_norm_of_product(x, w));
        EXPECT_NEAR(find(result, item.name).relative_output_error.value(), expected, 1e-4 * expected)
            << item.name;
    }
}

TEST_P(SensitivityTest, TheBaselineIsTheModelsOwnPerplexity) {
    const SensitivityResult result = sweep();
    EXPECT_EQ(result.baseline.tokens_scored, 80 + 13 + 75 - 3 * 6);
    EXPECT_EQ(result.baseline.window_tokens, 80);
    EXPECT_EQ(result.treatment, "int3-g16:rtn");
    for (const SensitivityLinear& linear : result.linears) {
        EXPECT_NEAR(*linear.delta_ppl, result.baseline.ppl * *linear.relative_delta_ppl,
                    1e-12 * result.baseline.ppl);
        EXPECT_EQ(linear.windows.size(), 3u);
    }
}

TEST(Sensitivity, SwapsOfRoundedInputsEqualNaiveOnesBitForBitAndAreScored) {
    const Model model = random_model(small_llama_config());
    TestEngine engine;
    const auto windows = with_context(random_windows({50, 70}, model.config().vocabulary), 0);
    SensitivityOptions options{.treatments = {parse_treatment("int8-sym-channel+a8-token"),
                                              parse_treatment("int4-sym-channel+a8-token")},
                               .items = {0, 3, 6, 10}};
    const SensitivityResult exact = measure_sensitivity(model, engine, windows, options);
    EXPECT_TRUE(exact.control->identical);
    for (const SensitivityLinear& linear : exact.linears) {
        const auto item = std::find_if(model.items().begin(), model.items().end(),
                                       [&](const LinearItem& i) { return i.name == linear.name; });
        const auto naive = measure_swap_naively(model, engine, windows, parse_treatment(linear.treatment),
                                                static_cast<std::size_t>(item - model.items().begin()));
        EXPECT_EQ(linear.blocks, naive) << linear.name;
        EXPECT_GT(linear.kl, 0);
    }
    options.method = SensitivityMethod::kScore;
    for (const SensitivityLinear& linear : measure_sensitivity(model, engine, windows, options).linears) {
        const auto found = std::find_if(exact.linears.begin(), exact.linears.end(), [&](const auto& other) {
            return other.name == linear.name && other.treatment == linear.treatment;
        });
        EXPECT_EQ(linear.basis, "scored");
        EXPECT_LT(std::abs(std::log(linear.kl / found->kl)), std::log(6.0)) << linear.name;
    }
}

TEST(Sensitivity, NothingToMeasureIsRefused) {
    const Model model = random_model(small_llama_config());
    TestEngine engine;
    auto windows = with_context(random_windows({20}, 97), 2);
    SensitivityOptions options{.treatments = {parse_treatment("int4-g16")}, .items = {}};
    EXPECT_THROW(measure_sensitivity(model, engine, windows, options), InvalidArgument);
    options.items = {0};
    EXPECT_THROW(measure_sensitivity(model, engine, {}, options), InvalidArgument);
    windows[0].context = 19;
    EXPECT_THROW(measure_sensitivity(model, engine, windows, options), InvalidArgument);
    engine.cancel.request();
    windows[0].context = 2;
    EXPECT_THROW(measure_sensitivity(model, engine, windows, options), Interrupted);
}

}  // namespace
}  // namespace assay
