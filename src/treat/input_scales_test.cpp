// Scales of inputs in whole models: what folds is searched together and scaled alike, what cannot is named,
// and the treated model is the folded model with its weights rounded.
#include "treat/input_scales.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "base/error.h"
#include "measure/runs.h"
#include "model/model_files.h"
#include "model/test_models.h"
#include "model/tiny_models.h"
#include "quantize/kron.h"
#include "quantize/rtn.h"
#include "treat/encoded_weights.h"
#include "treat/sequential.h"

namespace assay {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

double largest_difference(const Matrix<float>& a, const Matrix<float>& b) {
    double most = 0;
    for (std::size_t i = 0; i < a.values().size(); ++i)
        most =
            std::max(most, std::abs(static_cast<double>(a.values()[i]) - static_cast<double>(b.values()[i])));
    return most;
}

double largest(const Matrix<float>& a) {
    return largest_difference(a, Matrix<float>(a.rows(), a.cols()));
}

class InputScalesTest : public ::testing::TestWithParam<const char*> {
  protected:
    std::unique_ptr<EncodedFolder> treat(const Engine& engine, const char* treatment) {
        return treat_sequentially(model_, engine, windows_,
                                  {parse_treatment(treatment), block_items(model_), {}});
    }

    Model model_ = tiny_model(GetParam());
    std::vector<EvaluationWindow> windows_ =
        with_context(random_windows({60, 80}, model_.config().vocabulary), 0);
    TestEngine engine_;
};

INSTANTIATE_TEST_SUITE_P(Tiny, InputScalesTest,
                         ::testing::Values("llama-bias-sharded", "phi3-partial", "mixtral", "qwen2-moe",
                                           "gemma2", "olmo2"),
                         [](const auto& info) {
                             std::string name = info.param;
                             std::erase(name, '-');
                             return name;
                         });

// The model's scalings, from the weights that were treated.
std::vector<FoldedScales> scales_of(const Model& model, const EncodedFolder& treated) {
    std::vector<FoldedScales> folded;
    for (std::int64_t b = 0; b < model.config().layers; ++b) {
        for (Fold& fold : find_folds(model, b)) {
            std::optional<std::vector<float>> scales;
            for (std::size_t i : fold.readers) {
                if (model.items()[i].role != LinearItem::Role::kBlock) continue;
                const auto own = treated.weight(model.items()[i].name).column_scales;
                EXPECT_EQ(scales.value_or(own), own) << model.items()[i].name;
                scales = own;
            }
            if (!scales->empty()) folded.push_back({std::move(fold), *scales});
        }
    }
    return folded;
}

// Codes as a runtime of the folded model has them: no column scales, and the rows that the fold divided.
class FoldedCodes final : public WeightOverlay {
  public:
    FoldedCodes(const EncodedFolder& treated, std::span<const FoldedScales> folded)
        : treated_(treated), folded_(folded) {}
    bool treats(const LinearItem& item) const override { return treated_.treats(item); }
    void apply(const LinearItem& item, MatrixView<float> w) const override {
        ThreadPool own_thread(1);
        EncodedWeight weight = treated_.weight(item.name);
        weight.column_scales.clear();
        decode(weight, w, own_thread);
        for (const FoldedScales& one : folded_) {
            if (one.fold.source != item.name) continue;
            std::map<std::int64_t, float> of_row;
            for (std::size_t c = 0; c < one.scales.size(); ++c) of_row[one.fold.rows[c]] = one.scales[c];
            for (const auto& [row, scale] : of_row) {
                for (float& v : w.row(row)) v /= scale;
            }
        }
    }

  private:
    const EncodedFolder& treated_;
    std::span<const FoldedScales> folded_;
};

TEST_P(InputScalesTest, TheTreatedModelIsTheFoldedOneWithItsCodes) {
    for (const char* text : {"int4-g16:awq", "int4-g16:gptq(awq)", "int4-g16:yaqa(awq)"}) {
        const auto treated = treat(engine_, text);
        const auto folded = scales_of(model_, *treated);
        ASSERT_FALSE(folded.empty());
        const Model other(model_.path(), model_.config(), make_blocks(model_.config()),
                          std::make_shared<FoldedWeights>(model_, folded));
        const FoldedCodes codes(*treated, folded);
        const TokenWindow window = random_windows({45}, model_.config().vocabulary, 9)[0];
        const Matrix<float> expected = window_logits(model_, engine_, window, treated.get()),
                            actual = window_logits(other, engine_, window, &codes);
        EXPECT_LT(largest_difference(expected, actual), 2e-5 * largest(expected)) << text;
    }
}

TEST_P(InputScalesTest, ThePlainlyRoundedFoldedModelHasTheseCodes) {
    const auto treated = treat(engine_, "int4-g16(scale=f32):awq(clip=no)");
    const auto folded = scales_of(model_, *treated);
    const FoldedWeights weights(model_, folded);
    const FoldedCodes codes(*treated, folded);
    const NumberFormat format = parse_number_format("int4-g16(scale=f32)");
    for (std::size_t i : block_items(model_)) {
        const LinearItem& item = model_.items()[i];
        const Matrix<float> w = read_weight(weights, item.name);
        Matrix<float> rounded(item.out, item.in), decoded(item.out, item.in);
        rtn(w.view(), format, rounded.view(), engine_.pool);
        codes.apply(item, decoded.view());
        const double near = 1e-5 * largest(w);
        std::int64_t different = 0;  // codes in the middle between two
        for (std::size_t k = 0; k < w.values().size(); ++k)
            different += std::abs(rounded.values()[k] - decoded.values()[k]) > near ? 1 : 0;
        EXPECT_LE(different, static_cast<std::int64_t>(w.values().size()) / 1000) << item.name;
    }
}

TEST_P(InputScalesTest, MemoryAndThreadsChangeNoBit) {
    TestEngine one(1), three(3);
    three.limits = {.state_bytes = 1, .head_bytes = 1, .chunk_rows = 60};
    for (const char* text : {"int4-g16:awq", "int3-g16:awq(fold=no,true-sequential)",
                             "int4-g16:yaqa(act-order,awq,clip,true-sequential)"}) {
        const auto expected = treat(one, text), other = treat(three, text);
        const auto sorted = [](std::vector<CalibratedLinear> reports) {
            std::sort(reports.begin(), reports.end(),
                      [](const auto& a, const auto& b) { return a.name < b.name; });
            return reports;
        };
        EXPECT_EQ(sorted(expected->reports()), sorted(other->reports()));
        for (std::size_t i : block_items(model_)) {
            Matrix<float> a(model_.items()[i].out, model_.items()[i].in), b = a;
            expected->apply(model_.items()[i], a.view());
            other->apply(model_.items()[i], b.view());
            EXPECT_EQ(largest_difference(a, b), 0) << model_.items()[i].name;
        }
    }
}

TEST_P(InputScalesTest, TheErrorsOfAFoldAreNoMoreThanThoseOfRoundToNearest) {
    const Treatment treatment = parse_treatment("int3-g16:awq(clip=no)");
    const auto hessians = measure_hessians(model_, engine_, windows_, block_items(model_));
    int scaled = 0;
    for (std::int64_t b = 0; b < model_.config().layers; ++b) {
        std::vector<Hessian> own;
        for (const Hessian& h : hessians) {
            if (h.input.block == b) own.push_back(h);
        }
        const auto folds = find_folds(model_, b);
        std::map<int, double> error, rtn_error;  // of each fold
        FisherSource none(model_, engine_, {}, {});
        const auto treated = treat_together(model_, engine_, treatment, own, none);
        for (const Hessian& h : own) {
            const InputFactor factor = factor_input(h.sums, {}, engine_.pool);
            for (std::size_t i : h.input.items) {
                const auto found = std::find_if(treated.begin(), treated.end(), [&](const auto& weight) {
                    return weight.report.name == model_.items()[i].name;
                });
                ASSERT_NE(found, treated.end());
                scaled += found->weight.column_scales.empty() ? 0 : 1;
                if (h.positions == 0) continue;
                const Matrix<float> w = read_weight(model_.weights(), model_.items()[i].name);
                Matrix<float> rounded(w.rows(), w.cols());
                decode(found->weight, rounded.view(), engine_.pool);
                const int slot = fold_of(folds, i).slot;
                error[slot] += weighted_error(factor, w.view(), rounded.view(), engine_.pool);
                rtn(w.view(), treatment.format, rounded.view(), engine_.pool);
                rtn_error[slot] += weighted_error(factor, w.view(), rounded.view(), engine_.pool);
            }
        }
        for (const auto& [slot, sum] : error) EXPECT_LE(sum, rtn_error[slot] * (1 + 1e-6)) << slot;
    }
    EXPECT_GT(scaled, 0);
}

TEST(InputScales, WhatCannotFoldIsNamedAndScaledOnlyWhereFoldingIsNotAskedFor) {
    const Model model = tiny_model("olmo2");
    TestEngine engine;
    const auto windows = with_context(random_windows({60, 80}, model.config().vocabulary), 0);
    int unscaled = 0, scaled = 0;
    for (const char* text : {"int4-g16:awq", "int4-g16:awq(fold=no)"}) {
        const auto treated =
            treat_sequentially(model, engine, windows, {parse_treatment(text), block_items(model), {}});
        for (const CalibratedLinear& report : treated->reports()) {
            const bool stream = !report.name.ends_with("o_proj") && !report.name.ends_with("down_proj");
            const bool named = report.unscaled.has_value();
            EXPECT_EQ(named, stream && std::string(text) == "int4-g16:awq") << report.name;
            EXPECT_EQ(report.alpha.has_value(), !named);
            EXPECT_EQ(report.fallback, std::nullopt);
            unscaled += named ? 1 : 0;
            scaled += stream && !treated->weight(report.name).column_scales.empty() ? 1 : 0;
        }
    }
    EXPECT_EQ(unscaled, 5 * model.config().layers);
    EXPECT_GT(scaled, 0);
}

TEST(InputScales, ASwapHasTheScalesOfItsLinearsOwnInput) {
    const Model model = random_model(small_llama_config());
    TestEngine engine;
    const auto windows = with_context(random_windows({60, 80}, 97), 0);
    const std::vector<std::size_t> items{0, 1, 2};  // q, k and v
    const std::vector<Treatment> treatments{parse_treatment("int3-g16:awq"),
                                            parse_treatment("int3-g16:gptq")};
    const auto overlays = calibrate(model, engine, windows, items, treatments);
    const auto hessians = measure_hessians(model, engine, windows, items);
    const Hessian* one = &hessians.front();
    const InputScales found = find_scales(model, engine, treatments[0], std::span(&one, 1));
    for (std::size_t i : items) {
        EXPECT_EQ(overlays[0].weight(model.items()[i].name).column_scales, found.scales);
        EXPECT_TRUE(overlays[1].weight(model.items()[i].name).column_scales.empty());
    }
    EXPECT_EQ(overlays[0].reports().front().alpha, found.alpha);
    EXPECT_EQ(overlays[1].reports().front().alpha, std::nullopt);
}

// Every linear has statistics of its own there, and what folds together still has one scaling.
TEST(InputScales, OfYaqaAreSearchedOnTheWeighedStatisticsOfAllReaders) {
    const Model model = random_model(small_llama_config());
    TestEngine engine;
    const auto windows = with_context(random_windows({60, 80}, 97), 0);
    const std::vector<std::size_t> items{0, 1, 2};  // q, k and v
    const Treatment treatment = parse_treatment("int3-g16:yaqa(act-order,awq,clip)");
    const auto overlays = calibrate(model, engine, windows, items, std::span(&treatment, 1));
    FisherSource fisher(model, engine, windows, items);
    std::vector<Hessian> own;
    for (std::size_t i : items) {
        const auto measured =
            measure_hessians(model, engine, windows, std::span(&i, 1), &fisher.of(i).weights);
        own.insert(own.end(), measured.begin(), measured.end());
    }
    const std::vector<const Hessian*> all{&own[0], &own[1], &own[2]};
    const InputScales found = find_scales(model, engine, treatment, all);
    ASSERT_FALSE(found.scales.empty());
    for (std::size_t k = 0; k < items.size(); ++k) {
        const LinearItem& item = model.items()[items[k]];
        const EncodedWeight& weight = overlays[0].weight(item.name);
        EXPECT_EQ(weight.column_scales, found.scales) << item.name;
        const InputFactor input = factor_input(own[k].sums, {.by_energy = true}, engine.pool),
                          output = factor_input(fisher.of(items[k]).output, {.by_energy = true, .damp = 1},
                                                engine.pool);
        const Matrix<float> w = read_weight(model.weights(), item.name);
        const KronResult expected =
            kron_round(w.view(), std::get<IntFormat>(treatment.format), {output, input},
                       {.clip = true, .scales = found.scales}, engine.pool);
        const auto a = weight.encoding.codes.values(), b = expected.weight.encoding.codes.values();
        EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end())) << item.name;
    }
    EXPECT_EQ(overlays[0].reports().front().alpha, found.alpha);
}

TEST(InputScales, UselessStatisticsEndInAReportedFallback) {
    const Model model = random_model(small_llama_config());
    TestEngine engine;
    FisherSource none(model, engine, {}, {});
    const Treatment treatment = parse_treatment("int4-g16:awq");
    for (const auto& [row, column] : {std::pair{3, 3}, std::pair{3, 2}}) {
        std::vector<Hessian> broken(1);
        broken[0].input.items = {0, 1, 2};
        broken[0].sums = compute::SymmetricMatrix(48);
        broken[0].positions = 7;
        for (std::int64_t c = 0; c < 48; ++c) broken[0].sums(c, c) = 1;
        broken[0].sums(row, column) = std::numeric_limits<double>::quiet_NaN();
        const auto treated = treat_together(model, engine, treatment, broken, none);
        ASSERT_EQ(treated.size(), 3u);
        for (const CalibratedWeight& weight : treated) {
            EXPECT_THAT(weight.report.fallback.value_or(""), HasSubstr("NaN"));
            EXPECT_THAT(weight.report.unscaled.value_or(""), HasSubstr("NaN"));
            Matrix<float> w = read_weight(model.weights(), weight.report.name), rounded = w;
            rtn(w.view(), treatment.format, rounded.view(), engine.pool);
            decode(weight.weight, w.view(), engine.pool);
            EXPECT_EQ(largest_difference(w, rounded), 0);
        }
    }
    std::vector<Hessian> starved(1);
    starved[0].input.items = {0};
    starved[0].sums = compute::SymmetricMatrix(48);
    const auto treated = treat_together(model, engine, treatment, starved, none);
    EXPECT_THAT(treated[0].report.unscaled.value_or(""), HasSubstr("no position"));
}

TEST(InputScales, UselessStatisticsOfOneReaderLeaveYaqasInputUnscaled) {
    const Model model = random_model(small_llama_config());
    TestEngine engine;
    const auto windows = with_context(random_windows({60}, 97), 0);
    const std::vector<std::size_t> items{0, 1, 2};
    FisherSource fisher(model, engine, windows, items);
    std::vector<Hessian> own(3);
    for (std::size_t i : items) {
        own[i].input.items = {i};
        own[i].sums = compute::SymmetricMatrix(48);
        own[i].positions = 7;
        for (std::int64_t c = 0; c < 48; ++c) own[i].sums(c, c) = 1 + static_cast<double>(c % 5);
    }
    own[1].sums(3, 2) = std::numeric_limits<double>::quiet_NaN();
    const auto treated = treat_together(model, engine, parse_treatment("int4-g16:yaqa(awq)"), own, fisher);
    ASSERT_EQ(treated.size(), 3u);
    for (std::size_t i : items) {
        EXPECT_THAT(treated[i].report.unscaled.value_or(""), HasSubstr("NaN"));
        EXPECT_EQ(treated[i].report.fallback.has_value(), i == 1);
        EXPECT_TRUE(treated[i].weight.column_scales.empty());
    }
}

TEST(InputScales, FormatsWhoseScalesServeSeveralRowsCannotFold) {
    EXPECT_THAT([] { expect_calibrated(parse_treatment("int8-tensor:awq")); },
                ThrowsMessage<InvalidArgument>(HasSubstr("fold=no")));
    EXPECT_NO_THROW(expect_calibrated(parse_treatment("int8-tensor:awq(fold=no)")));
    EXPECT_NO_THROW(expect_calibrated(parse_treatment("int8-tensor:gptq")));
    EXPECT_NO_THROW(expect_calibrated(parse_treatment("int8-tensor:yaqa")));
    EXPECT_THAT([] { expect_calibrated(parse_treatment("int4-b4x32:yaqa(awq)")); },
                ThrowsMessage<InvalidArgument>(HasSubstr("fold=no")));
    EXPECT_NO_THROW(expect_calibrated(parse_treatment("int4-b4x32:yaqa(awq,fold=no)")));
    EXPECT_THAT([] { expect_calibrated(parse_treatment("int8-g32:yaqa(fold=no)")); },
                ThrowsMessage<InvalidArgument>(HasSubstr("goes with awq")));
    EXPECT_THAT([] { expect_calibrated(parse_treatment("int8-g32:gptq(fold=no)")); },
                ThrowsMessage<InvalidArgument>(HasSubstr("goes with awq")));
}

}  // namespace
}  // namespace assay
