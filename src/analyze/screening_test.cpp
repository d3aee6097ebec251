// Scores suspect the linears that faults were planted into, of the right cause, and no healthy ones.
#include "analyze/screening.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "analyze/wide_model.h"
#include "measure/activations.h"
#include "quantize/interventions.h"

namespace assay {
namespace {

using ::testing::IsEmpty;

class ScreeningTest : public ::testing::Test {
  protected:
    // "linear cause" of all suspicions.
    std::vector<std::string> screen(bool of_weights = true, int threads = 2) {
        const Model model("random", config_, make_blocks(config_), weights_);
        TestEngine engine(threads);
        std::vector<std::size_t> items;
        for (std::size_t i = 0; i < model.items().size(); ++i) {
            if (model.items()[i].role == LinearItem::Role::kBlock) items.push_back(i);
        }
        const Activations activations = measure_activations(model, engine, windows_, items);
        std::vector<ScreenedLinear> linears;
        for (std::size_t i : items) linears.push_back({i, activations.input(i).channel_energy, of_weights});
        screened_ = screen_causes(model, engine, windows_, parse_number_format("int3-g64"), linears, 4);
        std::vector<std::string> out;
        for (const ScreenedCause& s : screened_)
            if (s.suspected) out.push_back(model.items()[s.item].name + " " + std::string(name_of(s.cause)));
        return out;
    }

    void plant_outliers(const std::string& linear) {
        Rng rng(5);
        Matrix<float>& w = weights_->matrices.at(linear + ".weight");
        for (std::int64_t r = 0; r < w.rows(); ++r) {
            float& v =
                w.view()(r, static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(w.cols()))));
            v += v < 0 ? -1.2f : 1.2f;
        }
    }

    ModelConfig config_ = wide_config();
    std::shared_ptr<MemoryWeights> weights_ = healthy_weights(config_);
    std::vector<EvaluationWindow> windows_ = with_context(random_windows({200, 200, 200, 200}, 97), 8);
    std::vector<ScreenedCause> screened_;
};

TEST_F(ScreeningTest, HealthyWeightsRaiseNoSuspicionOfTheirOwn) {
    for (const std::string& s : screen()) EXPECT_THAT(s, ::testing::HasSubstr("salient_channels"));
}

TEST_F(ScreeningTest, TheLinearWithOutliersIsSuspected) {
    plant_outliers("model.layers.1.self_attn.k_proj");
    EXPECT_THAT(screen(), ::testing::Contains("model.layers.1.self_attn.k_proj weight_outliers"));
    for (const ScreenedCause& s : screened_) {
        EXPECT_LT(s.least_left, s.left);
        if (!s.suspected) continue;
        EXPECT_LT(s.left, 1 - kLeastExcess);
        EXPECT_LE(s.q_value, kFalseDiscoveryRate);
        EXPECT_GT(s.kl, 0);
    }
}

TEST_F(ScreeningTest, WeightsThatLieOnAGridAreLeftOut) {
    plant_outliers("model.layers.1.self_attn.k_proj");
    for (const std::string& s : screen(false)) EXPECT_THAT(s, ::testing::HasSubstr("salient_channels"));
}

TEST_F(ScreeningTest, ThreadsChangeNoBit) {
    plant_outliers("model.layers.0.mlp.up_proj");
    const auto names = screen(true, 1);
    const std::vector<ScreenedCause> one = screened_;
    EXPECT_EQ(screen(true, 3), names);
    for (std::size_t i = 0; i < one.size(); ++i) EXPECT_EQ(one[i].left, screened_[i].left);
}

TEST_F(ScreeningTest, NothingIsScreenedWithoutLinears) {
    const Model model("random", config_, make_blocks(config_), weights_);
    TestEngine engine;
    EXPECT_THAT(screen_causes(model, engine, windows_, parse_number_format("int3-g64"), {}, 1), IsEmpty());
}

}  // namespace
}  // namespace assay
