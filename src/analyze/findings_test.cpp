// Faults planted into a random model are found, with the right cause and a remedy that helps.
#include "analyze/findings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "analyze/experiments.h"
#include "analyze/screening.h"
#include "analyze/sensitivity.h"
#include "analyze/wide_model.h"
#include "base/error.h"
#include "quantize/interventions.h"
#include "quantize/rtn.h"

namespace assay {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kUp = "model.layers.0.mlp.up_proj";
constexpr const char* kDown = "model.layers.0.mlp.down_proj";

class FindingsTest : public ::testing::Test {
  protected:
    Matrix<float>& weight(const std::string& linear) { return weights_->matrices.at(linear + ".weight"); }
    std::vector<float>& vector(const std::string& name) { return weights_->vectors.at(name + ".weight"); }

    std::vector<Finding> find(const std::string& linear, int threads = 2, std::size_t most = 5) {
        const Model model("random", config_, make_blocks(config_), weights_);
        TestEngine engine(threads);
        engine.limits = limits_;
        SensitivityOptions options{.treatments = {treatment_}, .items = {}, .seed = 1};
        for (std::size_t i = 0; i < model.items().size(); ++i) {
            if (model.items()[i].name == linear) options.items.push_back(i);
        }
        const SensitivityResult sensitivity = measure_sensitivity(model, engine, windows_, options);
        std::map<std::size_t, WeightVerdict> verdicts;
        for (std::size_t i : options.items)
            verdicts[i] = look_at_weight(model, engine.pool, model.items()[i], treatment_);
        return find_causes(model, engine, windows_, sensitivity,
                           {.treatment = treatment_,
                            .items = options.items,
                            .most = most,
                            .noise_floor = noise_floor_,
                            .seed = seed_,
                            .verdicts = verdicts,
                            .calibration = calibration_});
    }

    static std::vector<std::string> causes(const std::vector<Finding>& findings) {
        std::vector<std::string> out;
        for (const Finding& f : findings) out.push_back(f.cause);
        return out;
    }

    static const Finding& of_cause(const std::vector<Finding>& findings, const std::string& cause) {
        const auto found = std::find_if(findings.begin(), findings.end(),
                                        [&](const Finding& f) { return f.cause == cause; });
        if (found == findings.end()) throw Error("no " + cause);
        return *found;
    }

    static void expect_help(const Finding& finding, double share) {
        ASSERT_TRUE(finding.gain && finding.gain_ci95 && finding.gain_share && finding.bytes);
        EXPECT_GT(finding.gain_ci95->low, 0);
        EXPECT_GT(*finding.gain_share, share);
        EXPECT_FALSE(finding.remedies.empty());
    }

    ModelConfig config_ = wide_config();
    std::shared_ptr<MemoryWeights> weights_ = healthy_weights(config_);
    Treatment treatment_ = parse_treatment("int3-g128");
    MemoryLimits limits_;
    double noise_floor_ = 0;
    std::uint64_t seed_ = 1;
    std::vector<EvaluationWindow> calibration_;
    std::vector<EvaluationWindow> windows_ =
        with_context(random_windows({200, 200, 200, 200, 200, 200}, 97), 8);
};

TEST_F(FindingsTest, OutlierWeightsAreFound) {
    Rng rng(5);
    Matrix<float>& w = weight(kUp);
    for (std::int64_t r = 0; r < w.rows(); ++r) {
        float& v = w.view()(r, static_cast<std::int64_t>(rng.below(128)));
        v += v < 0 ? -1.5f : 1.5f;  // sd 1/√128
    }
    treatment_ = parse_treatment("int3-g32");
    const auto findings = find(kUp);
    const Finding& finding = of_cause(findings, "weight_outliers");
    EXPECT_EQ(findings.at(0).cause, "weight_outliers");
    expect_help(finding, 0.3);
    EXPECT_GT(finding.evidence.numbers["gain_share"], finding.evidence.numbers["twin_gain_share"]);
    EXPECT_LT(finding.evidence.numbers["q_value"], kFalseDiscoveryRate);
}

TEST_F(FindingsTest, ARangeThatVariesInsideGroupsIsFound) {
    Matrix<float>& w = weight(kUp);
    std::vector<float>& norm = vector("model.layers.0.post_attention_layernorm");
    for (std::size_t c = 0; c < 128; ++c) {
        if (c % 128 >= 32) continue;
        norm[c] /= 8;
        for (std::int64_t r = 0; r < w.rows(); ++r) {
            w.row(r)[c] *= 8;
            weight("model.layers.0.mlp.gate_proj").row(r)[c] *= 8;
        }
    }
    const auto findings = find(kUp);
    EXPECT_EQ(findings.at(0).cause, "varying_range");
    expect_help(findings.at(0), 0.5);
    EXPECT_EQ(findings.at(0).remedy, "int3-g32:rtn");
    EXPECT_EQ(findings.at(0).bytes, 256 * 3 * (16 + 3) / 8);
}

TEST_F(FindingsTest, SalientChannelsAreFound) {
    for (std::int64_t c : {17, 99, 200}) {  // 1 % of 256, rounded up
        for (float& v : weight(kUp).row(c)) v *= 32;
        for (std::int64_t r = 0; r < 128; ++r) weight(kDown).view()(r, c) /= 32;
    }
    treatment_ = parse_treatment("int5-g128");
    const auto findings = find(kDown);
    EXPECT_EQ(findings.at(0).cause, "salient_channels");
    expect_help(findings.at(0), 0.5);
    EXPECT_EQ(findings.at(0).remedy, "3 input channels in 16 bits");
    EXPECT_EQ(findings.at(0).bytes, 3 * (2 * 128 + 4));
}

TEST_F(FindingsTest, WastedRangeIsFound) {
    Rng rng(5);  // nearly all weights of one size, a few 2.5 times as large
    for (float& v : weight(kUp).values()) {
        const double size = (rng.uniform() < 0.04 ? 2.5 : 1) * (0.07 + 0.01 * rng.uniform());
        v = static_cast<float>(v < 0 ? -size : size);
    }
    treatment_ = parse_treatment("int2-g128");
    const auto findings = find(kUp);
    const Finding& finding = of_cause(findings, "wasted_range");
    expect_help(finding, 0.5);
    EXPECT_EQ(finding.remedy, "clipped ranges");
    EXPECT_EQ(finding.bytes, 0);
}

TEST_F(FindingsTest, GaussianWeightsRaiseNoCauseOfWeights) {
    const std::vector<std::string> all = causes(find(kUp));
    for (const char* cause : {"weight_outliers", "varying_range", "wasted_range", "already_quantized"})
        EXPECT_THAT(all, Not(Contains(cause)));
}

TEST_F(FindingsTest, ALinearThatOnlyWantsBitsIsToldSo) {
    const auto findings = find(kUp);
    const Finding& finding = of_cause(findings, "only_bits_help");
    EXPECT_EQ(finding.remedy, "int8-g128:rtn");
    expect_help(finding, 0.9);
    EXPECT_EQ(finding.bytes, 256 * 128 * 5 / 8 + 256 * 5 / 8);
    EXPECT_EQ(finding.remedies.back().name, "16 bits");
    EXPECT_EQ(finding.remedies.back().gain_share, 1);
}

TEST_F(FindingsTest, AGridIsFoundWithTheFormatThatFitsIt) {
    ThreadPool pool(1);
    rtn(weight(kUp).view(), parse_number_format("int3-g64(scale=f32)"), weight(kUp).view(), pool);
    treatment_ = parse_treatment("int4-g128");
    const auto findings = find(kUp);
    const Finding& finding = of_cause(findings, "already_quantized");
    expect_help(finding, 0.9);
    EXPECT_THAT(finding.remedy, HasSubstr("int3-g64(scale=f32):rtn; or quantize the original weights"));
    EXPECT_LT(finding.bytes, 0);
    for (const char* cause : {"weight_outliers", "varying_range", "wasted_range", "only_bits_help"})
        EXPECT_THAT(causes(findings), Not(Contains(cause)));
}

TEST_F(FindingsTest, DeadChannelsAreFoundWithoutAnySwap) {
    for (float& v : weight(kUp).row(7)) v = 0;
    const auto findings = find(kUp, 2, 0);
    ASSERT_EQ(findings.size(), 1u);
    EXPECT_EQ(findings[0].cause, "numerics");
    EXPECT_EQ(findings[0].evidence.numbers["dead_outputs"], 1);
    EXPECT_EQ(findings[0].remedy, "remove the dead channels");
    EXPECT_FALSE(findings[0].gain);
    EXPECT_EQ(findings[0].bytes, -(128 * 3 + 16 + 3) / 8);  // a row
}

TEST_F(FindingsTest, SubnormalScalesAreMendedByAWiderType) {
    for (float& v : weight(kUp).values()) v *= 2e-6f;  // and the rows' consumer makes up for it
    for (float& v : weight(kDown).values()) v *= 5e5f;
    treatment_ = parse_treatment("int4-g32");
    const auto findings = find(kUp);
    const Finding& finding = of_cause(findings, "numerics");
    EXPECT_THAT(finding.remedy, HasSubstr("int4-g32(scale=bf16):rtn; or "));
    expect_help(finding, 0.3);
    EXPECT_EQ(finding.bytes, 0);
}

TEST_F(FindingsTest, CorrelatedInputsAreFoundWithGptqAsTheRemedy) {
    // The inputs of down_proj hardly vary but along one direction: rows of up and gate are nearly one row.
    for (const char* name : {"model.layers.0.mlp.up_proj", "model.layers.0.mlp.gate_proj"}) {
        Matrix<float>& w = weight(name);
        for (std::int64_t r = 1; r < w.rows(); ++r) {
            for (std::int64_t c = 0; c < w.cols(); ++c)
                w.view()(r, c) = w.view()(0, c) + 0.2f * w.view()(r, c);
        }
    }
    calibration_ = with_context(random_windows({200, 200, 200, 200, 200, 200, 200, 200}, 97, 77), 0);
    const auto findings = find(kDown);
    const Finding& finding = of_cause(findings, "correlated_inputs");
    EXPECT_EQ(finding.remedy, "int3-g128:gptq(act-order)");
    EXPECT_EQ(finding.bytes, 0);
    expect_help(finding, 0.3);
    EXPECT_THAT(causes(findings), Not(Contains("starved_calibration")));
}

TEST_F(FindingsTest, CalibrationOnTooLittleTextIsTold) {
    calibration_ = with_context(random_windows({24}, 97, 77), 0);  // 24 positions, 256 inputs
    const auto findings = find(kDown);
    const Finding& finding = of_cause(findings, "starved_calibration");
    EXPECT_EQ(finding.evidence.numbers["positions"], 24);
    EXPECT_EQ(finding.evidence.numbers["inputs"], 256);
    EXPECT_LT(finding.evidence.numbers["gain_share_ci95"][1].get<double>(),
              finding.evidence.numbers["calibration_gain_share"].get<double>() / 2);
}

TEST_F(FindingsTest, BelowTheNoiseFloorThereIsNothingToExplain) {
    noise_floor_ = 100;
    const auto findings = find(kUp);
    ASSERT_EQ(findings.size(), 1u);
    EXPECT_EQ(findings[0].cause, "no_measurable_damage");
}

TEST_F(FindingsTest, ThreadsAndGroupsChangeNoBit) {
    const auto one = find(kUp, 1);
    EXPECT_EQ(one, find(kUp, 3));
    limits_.state_bytes = 1;
    EXPECT_EQ(one, find(kUp));
}

TEST_F(FindingsTest, OneWindowLeavesTheSwapsOut) {
    windows_.resize(1);
    EXPECT_THAT(find(kUp), IsEmpty());
}

TEST_F(FindingsTest, TheWorkCoversAllSwapsOfTheLargestLinears) {
    const Model model("random", config_, make_blocks(config_), weights_);
    std::vector<std::size_t> items(model.items().size());
    std::iota(items.begin(), items.end(), std::size_t{0});
    const auto work = findings_workload(model, items, 2, windows_);
    ASSERT_EQ(work.size(), 2u);
    const auto largest = static_cast<std::size_t>(std::count_if(
        model.items().begin(), model.items().end(), [](const LinearItem& i) { return i.block >= 0; }));
    EXPECT_EQ(work[0].scored, kScreenedChanges);
    EXPECT_EQ(work[1].forks.size(),
              std::min<std::size_t>(18, largest) * kUsualSwaps + 1);  // two worst, four for each cause
    EXPECT_THAT(findings_workload(model, items, 0, windows_), IsEmpty());
    SwapList swaps;
    const std::vector<double> energies(128, 1.0);
    const ScaleOverlay calibrated("any", 1);
    plan_experiments(model, treatment_,
                     {.item = items[4],
                      .grid = WeightGrid{.bits = 8, .group = 64, .share = 1, .holds_zero = true},
                      .numerics = {.subnormal_scales = 1},
                      .energies = energies,
                      .causes = {std::begin(kCauses), std::end(kCauses)},
                      .calibrated = &calibrated},
                     1, swaps);
    EXPECT_EQ(swaps.forks().size(), kMostSwaps);
}

TEST(Experiments, AGridDecidesWhereItIsHardlyFinerThanTheFormat) {
    const NumberFormat format = parse_number_format("int4-g64");
    EXPECT_FALSE(grid_decides(std::nullopt, format));
    EXPECT_TRUE(grid_decides(WeightGrid{.bits = 3}, format));
    EXPECT_TRUE(grid_decides(WeightGrid{.bits = 5}, format));
    EXPECT_FALSE(grid_decides(WeightGrid{.bits = 6}, format));
}

}  // namespace
}  // namespace assay
