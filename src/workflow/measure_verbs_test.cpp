// The verbs on tiny models: against PyTorch's logits, against themselves and against each other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>

#include "base/error.h"
#include "container/json.h"
#include "container/safetensors.h"
#include "container/temporary_folder.h"
#include "model/test_models.h"
#include "workflow/workflow.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

const fs::path kModel = fs::path(ASSAY_TEST_DATA) / "tiny" / "llama-tied";

// Measures on p2 of the oracle: one window of 96 tokens, and two random ones.
class VerbsTest : public TemporaryFolder {
  protected:
    VerbsTest() {
        const auto oracle = SafetensorsFile::open(kModel / "oracle.safetensors");
        const TensorView& ids = oracle.tensors().at("p2.input_ids");
        window_.resize(static_cast<std::size_t>(element_count(ids.shape)));
        std::memcpy(window_.data(), ids.bytes.data(), ids.bytes.size());
        auto windows = random_windows({60, 96}, 512);
        windows.insert(windows.begin(), window_);
        std::ofstream(folder_ / "ids.json") << Json(windows);
        std::ofstream(folder_ / "one.json") << Json(std::vector<TokenWindow>{window_});
    }

    PerplexityResult perplexity(PerplexityOptions options) {
        options.model.model = kModel;
        if (!options.text.ids) options.text.ids = folder_ / "ids.json";
        return std::get<PerplexityResult>(measure_perplexity(options, silent_progress(), cancel_).result);
    }

    SweepOptions sweep_options() {
        return {.model = {.model = kModel},
                .text = {.ids = folder_ / "ids.json", .context = 20},
                .treatments = {"int4-g32"},
                .method = "exact",
                .linears = "layers\\.1|embed"};
    }

    TokenWindow window_;
    CancelToken cancel_;
};

TEST_F(VerbsTest, PerplexityIsThatOfPyTorchsLogits) {
    const auto oracle = SafetensorsFile::open(kModel / "oracle.safetensors");
    const TensorView& logits = oracle.tensors().at("p2.logits");
    double nll = 0;
    for (std::size_t t = 10; t + 1 < window_.size(); ++t) {
        std::vector<float> row(512);
        to_f32(logits, static_cast<std::int64_t>(t) * 512, row);
        double sum = 0;
        for (float v : row) sum += std::exp(static_cast<double>(v));
        nll += std::log(sum) - row[static_cast<std::size_t>(window_[t + 1])];
    }
    for (const char* backend : {"cpu", "reference"}) {
        const PerplexityResult result =
            perplexity({.model = {.backend = backend}, .text = {.ids = folder_ / "one.json", .context = 10}});
        EXPECT_EQ(result.tokens_scored, 85);
        EXPECT_NEAR(result.nll_mean, nll / 85, 2e-5) << backend;
        EXPECT_NEAR(result.ppl, std::exp(nll / 85), 2e-5 * std::exp(nll / 85)) << backend;
    }
}

TEST_F(VerbsTest, AModelAgainstItselfDiffersByExactlyNothing) {
    const PerplexityResult result = perplexity({.against = kModel});
    ASSERT_TRUE(result.comparison);
    EXPECT_EQ(result.comparison->kl_mean, 0);
    EXPECT_EQ(result.comparison->delta_ppl, 0);
    EXPECT_EQ(result.comparison->kl_ci95, (Interval{0, 0}));
    EXPECT_EQ(result.comparison->delta_ppl_ci95, (Interval{0, 0}));
    EXPECT_EQ(result.comparison->top1_agreement, 1);
    EXPECT_EQ(result.comparison->kl_percentiles.front().value, 0);
}

TEST_F(VerbsTest, ATreatedModelIsComparedWithItself) {
    const PerplexityResult plain = perplexity({}), treated = perplexity({.treatment = "int4-g32"});
    ASSERT_TRUE(treated.comparison);
    EXPECT_EQ(treated.comparison->reference_ppl, plain.ppl);
    EXPECT_GT(treated.comparison->kl_mean, 0);
    EXPECT_EQ(treated.comparison->kl_percentiles.size(), 11u);
    ASSERT_TRUE(treated.comparison->delta_p);
    EXPECT_GT(treated.comparison->delta_p->rms, 0);
    EXPECT_TRUE(plain.ppl_ci95 && plain.ppl_standard_error);
    EXPECT_EQ(treated.protocol, "gptq");
    EXPECT_FALSE(plain.comparison);
}

TEST_F(VerbsTest, AgainstAndTreatmentTogetherAreRefused) {
    EXPECT_THROW(perplexity({.against = kModel, .treatment = "int4-g32"}), InvalidArgument);
}

TEST_F(VerbsTest, ACalibratedTreatmentIsMeasuredOnOtherWindows) {
    std::ofstream(folder_ / "calibration.json") << Json(random_windows({90, 90, 80}, 512, 9));
    const auto run = [&](const char* treatment, ModelOptions model = {}) {
        return perplexity(
            {.model = model, .treatment = treatment, .calibration_ids = folder_ / "calibration.json"});
    };
    const PerplexityResult result = run("int4-g32:gptq(act-order)");
    ASSERT_TRUE(result.calibrated && result.comparison);
    EXPECT_EQ(result.calibrated->size(), 21u);
    EXPECT_EQ(result.calibrated->front().treatment, "int4-g32:gptq(act-order)");
    EXPECT_EQ(result.calibrated->front().positions, 260);
    EXPECT_GT(result.comparison->kl_mean, 0);
    const ModelOptions little{.threads = 1, .memory = 0.5, .cache = folder_ / "cache"};
    EXPECT_EQ(result, run("int4-g32:gptq(act-order)", little));
    EXPECT_EQ(run("int4-g32:yaqa(act-order)"), run("int4-g32:yaqa(act-order)", little));
    EXPECT_TRUE(fs::is_empty(folder_ / "cache"));
    EXPECT_NE(result, run("int4-g32:gptq"));
}

TEST_F(VerbsTest, ACalibrationGrowsUntilMoreWindowsBringNothing) {
    const auto windows = random_windows(std::vector<int>(24, 60), 512, 9);
    std::ofstream(folder_ / "calibration.json") << Json(windows);
    const auto run = [&](const char* treatment, const char* ids, ModelOptions model = {}) {
        return perplexity({.model = model, .treatment = treatment, .calibration_ids = folder_ / ids});
    };
    const PerplexityResult grown = run("int3-g32:gptq(grow)", "calibration.json");
    ASSERT_TRUE(grown.growth);
    const std::vector<GrowthStep>& steps = *grown.growth;
    ASSERT_FALSE(steps.empty());
    EXPECT_EQ(steps[0].windows, 4);
    EXPECT_FALSE(steps[0].gain);
    EXPECT_EQ(std::count_if(steps.begin(), steps.end(), [](const GrowthStep& s) { return s.chosen; }), 1);
    const auto least = std::min_element(steps.begin(), steps.end(),
                                        [](const auto& a, const auto& b) { return a.kl < b.kl; });
    EXPECT_TRUE(least->chosen);
    for (std::size_t s = 1; s < steps.size(); ++s) {
        EXPECT_NEAR(*steps[s].gain, 1 - steps[s].kl / steps[s - 1].kl, 1e-13);
        // Only a shown gain of a fiftieth is worth another step.
        const bool last = s + 1 == steps.size();
        EXPECT_TRUE(last || (*steps[s].gain >= 0.02 && steps[s].gain_ci95->low > 0));
        const bool stopped = last && steps[s].windows < 18;
        EXPECT_TRUE(!stopped || *steps[s].gain < 0.02 || steps[s].gain_ci95->low <= 0);
    }
    // The result is that of the chosen windows alone.
    const auto chosen = std::vector(windows.begin(), windows.begin() + least->windows);
    std::ofstream(folder_ / "chosen.json") << Json(chosen);
    const PerplexityResult plain = run("int3-g32:gptq", "chosen.json");
    EXPECT_EQ(grown.comparison, plain.comparison);
    EXPECT_EQ(grown.calibrated, plain.calibrated);
    const ModelOptions little{.threads = 1, .memory = 0.5, .cache = folder_ / "cache"};
    EXPECT_EQ(grown, run("int3-g32:gptq(grow)", "calibration.json", little));
    std::ofstream(folder_ / "one.json") << Json(random_windows({60}, 512, 9));
    EXPECT_THROW(run("int3-g32:gptq(grow)", "one.json"), InvalidArgument);
}

TEST_F(VerbsTest, TheSeedDrawsYaqasLabels) {
    std::ofstream(folder_ / "calibration.json") << Json(random_windows({90, 90, 80}, 512, 9));
    const auto kl = [&](const char* treatment, std::uint64_t seed) {
        return perplexity(
                   {.treatment = treatment, .calibration_ids = folder_ / "calibration.json", .seed = seed})
            .comparison->kl_mean;
    };
    EXPECT_EQ(kl("int3-g32:yaqa", 3), kl("int3-g32:yaqa", 3));
    EXPECT_NE(kl("int3-g32:yaqa", 3), kl("int3-g32:yaqa", 4));
    EXPECT_EQ(kl("int3-g32:gptq", 3), kl("int3-g32:gptq", 4));
}

TEST_F(VerbsTest, ACalibratedTreatmentNeedsWindowsAndOnlyItTakesThem) {
    // The tiny model has no tokenizer for a calibration set.
    EXPECT_THAT([&] { perplexity({.treatment = "int4-g32:gptq"}); },
                ::testing::ThrowsMessage<FormatError>(::testing::HasSubstr("tokenizer")));
    EXPECT_THROW(perplexity({.calibration_ids = folder_ / "ids.json"}), InvalidArgument);
    SweepOptions sweep = sweep_options();
    sweep.treatments = {"int4-g32:gptq"};
    EXPECT_THROW(measure_sensitivity(sweep, silent_progress(), cancel_), FormatError);
}

TEST_F(VerbsTest, QuantizedActivationsAreMeasuredWholeAndAsSwaps) {
    const PerplexityResult token = perplexity({.treatment = "int8-sym-channel+a8-token"}),
                           weights = perplexity({.treatment = "int8-sym-channel"});
    EXPECT_GT(token.comparison->kl_mean, weights.comparison->kl_mean);
    EXPECT_FALSE(token.calibrated);
    const PerplexityResult smooth = perplexity({.treatment = "int8-sym-channel+a8-tensor:smooth(alpha=0.8)",
                                                .calibration_ids = folder_ / "one.json"});
    ASSERT_TRUE(smooth.calibrated);
    EXPECT_GT(smooth.comparison->kl_mean, 0);
    for (const CalibratedLinear& linear : *smooth.calibrated) {
        EXPECT_EQ(linear.input->alpha, 0.8) << linear.name;
        EXPECT_GT(linear.input->scale, 0);
    }
    SweepOptions sweep = sweep_options();
    sweep.treatments = {"int8-sym-channel+a8-token"};
    const auto result =
        std::get<SensitivityResult>(measure_sensitivity(sweep, silent_progress(), cancel_).result);
    EXPECT_EQ(result.linears.size(), 7u);  // the embedding is no linear of a block
    EXPECT_THROW(diagnose(sweep, silent_progress(), cancel_), InvalidArgument);
    EXPECT_THROW(measure_weights({.model = {.model = kModel}, .treatment = "int8-sym-channel+a8-token"},
                                 silent_progress(), cancel_),
                 InvalidArgument);
}

TEST_F(VerbsTest, WeightsNeedNoText) {
    const Envelope envelope =
        measure_weights({.model = {.model = kModel}, .treatment = "int4-g32", .linears = "down_proj"},
                        silent_progress(), cancel_);
    const auto& result = std::get<WeightsResult>(envelope.result);
    ASSERT_EQ(result.linears.size(), 3u);
    EXPECT_EQ(result.linears[0].name, "model.layers.0.mlp.down_proj");
    EXPECT_GT(result.linears[0].relative_error.value(), 0);
    EXPECT_EQ(envelope.settings["treatment"], "int4-g32:rtn");
}

// As `weights` without a calibration text tells it.
WeightsResult without_output_errors(WeightsResult result) {
    std::vector<std::vector<ClipSweepRow>*> sweeps{&*result.clip_sweep};
    for (WeightsLinear& linear : result.linears) sweeps.push_back(&*linear.clip_sweep);
    for (std::vector<ClipSweepRow>* rows : sweeps) {
        EXPECT_EQ(std::erase_if(*rows, [](const ClipSweepRow& row) { return row.clip == "output"; }), 2u);
        for (ClipSweepRow& row : *rows) {
            EXPECT_TRUE(row.relative_output_error);
            row.relative_output_error.reset();
            row.best_output.reset();
        }
    }
    return result;
}

TEST_F(VerbsTest, DiagnoseHoldsWhatItsPartsSay) {
    const SweepOptions options = sweep_options();
    const Envelope whole = diagnose(options, silent_progress(), cancel_);
    const auto& result = std::get<DiagnoseResult>(whole.result);
    EXPECT_EQ(result.sensitivity,
              std::get<SensitivityResult>(measure_sensitivity(options, silent_progress(), cancel_).result));
    const WeightsOptions weights{.model = options.model,
                                 .treatment = options.treatments[0],
                                 .linears = options.linears,
                                 .sweep = "all",
                                 .histograms = true};
    EXPECT_EQ(without_output_errors(result.weights),
              std::get<WeightsResult>(measure_weights(weights, silent_progress(), cancel_).result));
    EXPECT_EQ(result.perplexity, result.sensitivity.baseline);
    EXPECT_EQ(result.sensitivity.linears.size(), 8u);
    EXPECT_EQ(result.shares.worst_5_percent.linears,
              std::vector<std::string>{result.sensitivity.linears[0].name});
    EXPECT_TRUE(result.rank_correlation_weight_error_damage);
    ASSERT_TRUE(result.all_treated.comparison);
    EXPECT_GT(result.all_treated.comparison->kl_mean, 0);
    EXPECT_EQ(result.all_treated.comparison->reference_ppl, result.perplexity.ppl);
    ASSERT_TRUE(result.activations && result.patterns);
    EXPECT_EQ(result.activations->linears.size(), 8u);  // of blocks, and the tied embedding
    EXPECT_EQ(result.patterns->factors.size(), 7u);
    EXPECT_FALSE(result.patterns->advice);  // too few blocks
    for (const DamageFactors& f : result.patterns->factors) {
        const auto row = std::find_if(result.sensitivity.linears.begin(), result.sensitivity.linears.end(),
                                      [&](const auto& l) { return l.name == f.linear; });
        EXPECT_NEAR(f.output_error, *row->relative_output_error, 1e-5);
    }
}

TEST_F(VerbsTest, DiagnoseTreatsOneBlockLinearAsTheSweepDoes) {
    SweepOptions options = sweep_options();
    options.linears = "layers\\.1\\.mlp\\.up_proj";
    const auto result = std::get<DiagnoseResult>(diagnose(options, silent_progress(), cancel_).result);
    EXPECT_EQ(result.all_treated.blocks, result.sensitivity.linears[0].blocks);
}

TEST_F(VerbsTest, InterruptedVerbsSaySo) {
    cancel_.request();
    EXPECT_THROW(perplexity({}), Interrupted);
    EXPECT_THROW(diagnose(sweep_options(), silent_progress(), cancel_), Interrupted);
}

}  // namespace
}  // namespace assay
