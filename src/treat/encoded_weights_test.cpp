#include "treat/encoded_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "measure/runs.h"
#include "model/model_files.h"
#include "model/test_models.h"
#include "model/tiny_models.h"
#include "quantize/clipping.h"
#include "quantize/gptq.h"
#include "quantize/kron.h"
#include "quantize/rtn.h"
#include "treat/treatment_overlay.h"

namespace assay {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

bool same(const Matrix<float>& a, const Matrix<float>& b) {
    return std::equal(a.values().begin(), a.values().end(), b.values().begin(), b.values().end());
}

class CalibrateTest : public ::testing::TestWithParam<const char*> {
  protected:
    Model model_ = load_model(open_model_files(std::filesystem::path(ASSAY_TEST_DATA) / "tiny" / GetParam()));
    std::vector<EvaluationWindow> windows_ =
        with_context(random_windows({60, 80, 70}, model_.config().vocabulary), 0);
    std::vector<std::size_t> items_ = block_items(model_);
};

INSTANTIATE_TEST_SUITE_P(Tiny, CalibrateTest,
                         ::testing::Values("llama-bias-sharded", "mixtral", "qwen2-moe", "gemma2"),
                         [](const auto& info) {
                             std::string name = info.param;
                             std::erase(name, '-');
                             return name;
                         });

TEST_P(CalibrateTest, EveryLinearIsGptqOnTheHessianOfTheModelsOwnRun) {
    TestEngine engine;
    const std::vector<Treatment> treatments{parse_treatment("int4-g16:gptq"),
                                            parse_treatment("int3-sym-g16:gptq(act-order,clip,damp=0.1)")};
    const auto overlays = calibrate(model_, engine, windows_, items_, treatments);
    ASSERT_EQ(overlays.size(), 2u);
    std::size_t seen = 0;
    for (const Hessian& h : measure_hessians(model_, engine, windows_, items_)) {
        for (std::size_t i : h.input.items) {
            const LinearItem& item = model_.items()[i];
            const Matrix<float> w = read_weight(model_.weights(), item.name);
            const InputFactor plain = factor_input(h.sums, {}, engine.pool),
                              ordered = factor_input(h.sums, {.by_energy = true, .damp = 0.1}, engine.pool);
            const GptqResult results[] = {
                gptq(w.view(), std::get<IntFormat>(treatments[0].format), plain, {}, engine.pool),
                gptq(w.view(), std::get<IntFormat>(treatments[1].format), ordered,
                     {.static_groups = true, .clip = true}, engine.pool)};
            for (std::size_t t = 0; t < 2; ++t) {
                ASSERT_TRUE(overlays[t].treats(item));
                Matrix<float> expected = w, treated = w;
                decode(results[t].weight, expected.view(), engine.pool);
                overlays[t].apply(item, treated.view());
                EXPECT_TRUE(same(treated, expected)) << item.name;
                EXPECT_FALSE(same(treated, w)) << item.name;
            }
            ++seen;
        }
    }
    EXPECT_EQ(seen, items_.size());
    for (const CalibratedLinear& report : overlays[0].reports()) {
        EXPECT_EQ(report.treatment, "int4-g16:gptq");
        EXPECT_EQ(report.positions > 0, !report.fallback.has_value()) << report.name;
        EXPECT_LE(report.error_ratio.value_or(1), 1);
    }
}

TEST_P(CalibrateTest, ClipByInputsTakesTheRangesWithTheLeastErrorWeighedByTheirEnergy) {
    TestEngine engine;
    const std::vector<Treatment> treatments{parse_treatment("int3-g16:clip(inputs)")};
    const auto overlays = calibrate(model_, engine, windows_, items_, treatments);
    std::size_t others = 0;  // than those that clip takes without inputs
    for (const Hessian& h : measure_hessians(model_, engine, windows_, items_)) {
        std::vector<double> energies;
        for (std::int64_t c = 0; c < h.sums.size(); ++c) energies.push_back(h.sums(c, c));
        for (std::size_t i : h.input.items) {
            const LinearItem& item = model_.items()[i];
            Matrix<float> treated = read_weight(model_.weights(), item.name);
            Matrix<float> expected = treated, by_weights = treated;
            if (h.positions > 0)
                round_clipped(expected.view(), treatments[0].format, energies, engine.pool);
            else
                rtn(expected.view(), treatments[0].format, expected.view(), engine.pool);
            round_clipped(by_weights.view(), treatments[0].format, engine.pool);
            overlays[0].apply(item, treated.view());
            EXPECT_TRUE(same(treated, expected)) << item.name;
            others += same(expected, by_weights) ? 0 : 1;
        }
    }
    EXPECT_GT(others, items_.size() / 2);
    for (const CalibratedLinear& report : overlays[0].reports()) {
        EXPECT_EQ(report.treatment, "int3-g16:clip(inputs)");
        EXPECT_EQ(report.positions > 0, !report.fallback.has_value()) << report.name;
        EXPECT_EQ(report.alpha, std::nullopt);
    }
}

TEST_P(CalibrateTest, YaqaRoundsByTheFactorsOfTheUntreatedModel) {
    TestEngine engine;
    const std::vector<Treatment> treatments{
        parse_treatment("int4-g16:gptq"),
        parse_treatment("int3-sym-g16:yaqa(act-order,clip,output-damp=0.5)")};
    const auto overlays = calibrate(model_, engine, windows_, items_, treatments);
    FisherSource fisher(model_, engine, windows_, items_);
    std::size_t rounded = 0;
    for (std::size_t i : items_) {
        const LinearItem& item = model_.items()[i];
        const FisherFactor& factor = fisher.of(i);
        const PositionWeights* weights = factor.weights.empty() ? nullptr : &factor.weights;
        const auto h = measure_hessians(model_, engine, windows_, std::span(&i, 1), weights);
        const InputFactor output = factor_input(factor.output, {.by_energy = true, .damp = 0.5}, engine.pool),
                          input = factor_input(h[0].sums, {.by_energy = true}, engine.pool);
        const Matrix<float> w = read_weight(model_.weights(), item.name);
        const KronResult result = kron_round(w.view(), std::get<IntFormat>(treatments[1].format),
                                             {output, input}, {.clip = true}, engine.pool);
        Matrix<float> expected = w, treated = w;
        decode(result.weight, expected.view(), engine.pool);
        overlays[1].apply(item, treated.view());
        EXPECT_TRUE(same(treated, expected) || h[0].positions == 0) << item.name;
        rounded += result.fallback.empty() ? 1 : 0;
    }
    EXPECT_GT(rounded, items_.size() / 2);
    EXPECT_EQ(overlays[0].reports()[0].treatment, "int4-g16:gptq");
    EXPECT_EQ(overlays[0].reports(),
              calibrate(model_, engine, windows_, items_, std::span(treatments).first(1))[0].reports());
}

TEST_P(CalibrateTest, GradientWeightsWeighPositionsByTheirOutputsGradients) {
    TestEngine engine;
    const std::vector<Treatment> treatments{parse_treatment("int4-g16:gptq"),
                                            parse_treatment("int4-g16:gptq(gradient-weights)")};
    const auto overlays = calibrate(model_, engine, windows_, items_, treatments);
    FisherSource fisher(model_, engine, windows_, items_, 0, FisherParts::kWeights);
    std::size_t other = 0;
    for (std::size_t i : items_) {
        const LinearItem& item = model_.items()[i];
        const PositionWeights& weights = fisher.of(i).weights;
        const auto h = measure_hessians(model_, engine, windows_, std::span(&i, 1),
                                        weights.empty() ? nullptr : &weights);
        const Matrix<float> w = read_weight(model_.weights(), item.name);
        const GptqResult result = gptq(w.view(), std::get<IntFormat>(treatments[1].format),
                                       factor_input(h[0].sums, {}, engine.pool), {}, engine.pool);
        Matrix<float> expected = w, treated = w, plain = w;
        decode(result.weight, expected.view(), engine.pool);
        overlays[1].apply(item, treated.view());
        overlays[0].apply(item, plain.view());
        EXPECT_TRUE(same(treated, expected) || h[0].positions == 0) << item.name;
        other += same(treated, plain) ? 0 : 1;
    }
    EXPECT_GT(other, 0u);
}

TEST_P(CalibrateTest, TheSeedDrawsYaqasLabelsAndTouchesNothingElse) {
    TestEngine engine;
    const std::vector<Treatment> treatments{parse_treatment("int3-g16:yaqa"),
                                            parse_treatment("int3-g16:gptq")};
    const auto first = calibrate(model_, engine, windows_, items_, treatments),
               again = calibrate(model_, engine, windows_, items_, treatments, 0),
               other = calibrate(model_, engine, windows_, items_, treatments, 7);
    EXPECT_EQ(first[0].reports(), again[0].reports());
    EXPECT_NE(first[0].reports(), other[0].reports());
    EXPECT_EQ(first[1].reports(), other[1].reports());
}

TEST_P(CalibrateTest, MemoryAndThreadsChangeNoBit) {
    for (const char* treatment :
         {"int4-g16:gptq(act-order)", "int4-g16:yaqa(act-order)", "int4-g16:yaqa(act-order,awq,clip,fold=no)",
          "int4-g16:gptq(search-damp)"}) {
        const std::vector<Treatment> treatments{parse_treatment(treatment)};
        TestEngine one(1), three(3);
        three.limits = {.state_bytes = 1, .head_bytes = 1, .chunk_rows = 60};
        const auto expected = calibrate(model_, one, windows_, items_, treatments),
                   other = calibrate(model_, three, windows_, items_, treatments);
        EXPECT_EQ(expected[0].reports(), other[0].reports());
        for (std::size_t i : items_) {
            Matrix<float> a(model_.items()[i].out, model_.items()[i].in), b = a;
            expected[0].apply(model_.items()[i], a.view());
            other[0].apply(model_.items()[i], b.view());
            EXPECT_TRUE(same(a, b)) << model_.items()[i].name;
        }
    }
}

TEST(Calibrate, SwapsOfCorrelatedInputsAreLessDamagedThanRoundedOnes) {
    const Model model = random_model(small_llama_config());
    TestEngine engine;
    const auto calibration = with_context(random_windows({200, 200, 200}, 97, 1), 0);
    const auto windows = with_context(random_windows({200, 200}, 97, 2), 0);
    const std::vector<std::size_t> items{5, 6};  // up_proj and down_proj of the first block
    const std::vector<Treatment> treatments{parse_treatment("int3-g16:gptq"), parse_treatment("int3-g16")};
    const auto overlays = make_overlays(model, engine, calibration, items, treatments);
    std::vector<Fork> forks;
    for (const auto& overlay : overlays) {
        for (std::size_t i : items) forks.push_back({i, overlay.get()});
    }
    const auto result = run_pass(model, engine, make_chunks(windows, 4096), {.forks = forks});
    double errors[2] = {0, 0};
    for (std::size_t f = 0; f < forks.size(); ++f) {
        for (const auto& window : result.forks[f].output_error)
            errors[f / 2] += window.error / window.reference;
    }
    EXPECT_GT(errors[0], 0);
    EXPECT_LT(errors[0], 0.95 * errors[1]);
}

TEST(Calibrate, OnlyTheItemsAskedForAreTreated) {
    const Model model = random_model(small_llama_config());
    TestEngine engine;
    const auto windows = with_context(random_windows({40}, 97), 0);
    const std::vector<std::size_t> items{1, model.items().size() - 1};
    const std::vector<Treatment> treatments{parse_treatment("int4-g16:gptq"), parse_treatment("int4-g16")};
    const auto overlays = make_overlays(model, engine, windows, items, treatments);
    for (std::size_t i = 0; i < model.items().size(); ++i) {
        EXPECT_EQ(overlays[0]->treats(model.items()[i]), i == 1) << model.items()[i].name;
        EXPECT_EQ(overlays[1]->treats(model.items()[i]), i == 1 || i == items[1]);
    }
    EXPECT_NO_THROW(make_overlays(model, engine, {}, items, std::span(treatments).last(1)));
}

TEST(Calibrate, RefusesWhatHasNoMeaning) {
    const Model model = random_model(small_llama_config());
    TestEngine engine;
    const auto windows = with_context(random_windows({40}, 97), 0);
    const std::vector<std::size_t> items{1}, head{model.items().size() - 1};
    const auto run = [&](const char* text, std::span<const EvaluationWindow> w,
                         std::span<const std::size_t> i) {
        const std::vector<Treatment> treatments{parse_treatment(text)};
        calibrate(model, engine, w, i, treatments);
    };
    EXPECT_THROW(run("int4-g16:gptq", {}, items), InvalidArgument);
    EXPECT_THROW(run("int4-g16:gptq", windows, {}), InvalidArgument);
    EXPECT_THROW(run("int4-g16:gptq", windows, head), InvalidArgument);
    EXPECT_THAT([&] { run("int4-g16", windows, items); },
                ThrowsMessage<InvalidArgument>(HasSubstr("looks at no inputs")));
    EXPECT_THAT([&] { run("mxfp4:gptq", windows, items); },
                ThrowsMessage<InvalidArgument>(HasSubstr("integer formats only")));
    EXPECT_THAT([&] { run("int4-g16:gptq(true-sequential)", windows, items); },
                ThrowsMessage<InvalidArgument>(HasSubstr("true-sequential")));
}

class Notes final : public Progress {
  public:
    void begin(std::string_view, std::uint64_t) override {}
    void advance(std::uint64_t) override {}
    void end() override {}
    void note(std::string_view line) override { text += std::string(line) + "\n"; }
    std::string text;
};

TEST(Calibrate, AFallbackIsReportedAndNoted) {
    const Model model = random_model(small_llama_config());
    TestEngine test;
    Notes notes;
    const Engine engine{*test.backend, test.pool, notes, test.cancel, test.limits};
    Hessian broken;
    broken.input.items.push_back(1);
    broken.sums = compute::SymmetricMatrix(48);
    broken.positions = 7;
    broken.sums(3, 2) = std::numeric_limits<double>::quiet_NaN();
    FisherSource none(model, engine, {}, {});
    const auto treated = treat_linears(model, engine, parse_treatment("int4-g16:gptq"), broken, none);
    ASSERT_EQ(treated.size(), 1u);
    const CalibratedLinear& report = treated[0].report;
    EXPECT_THAT(report.fallback.value_or(""), HasSubstr("NaN"));
    EXPECT_EQ(report.error_ratio, std::nullopt);
    EXPECT_EQ(report.positions, 7);
    EXPECT_THAT(notes.text, HasSubstr(report.name + ": rounded to nearest instead of gptq: "));
    Matrix<float> w = read_weight(model.weights(), report.name), rounded = w;
    decode(treated[0].weight, w.view(), test.pool);
    apply_treatment(parse_treatment("int4-g16"), {}, rounded.view(), test.pool);
    EXPECT_TRUE(same(w, rounded));
    broken.positions = 0;  // an expert that nothing is routed to
    broken.sums = compute::SymmetricMatrix(48);
    const auto starved = treat_linears(model, engine, parse_treatment("int4-g16:gptq"), broken, none);
    EXPECT_THAT(starved[0].report.fallback.value_or(""), HasSubstr("no position of the calibration windows"));
}

}  // namespace
}  // namespace assay
