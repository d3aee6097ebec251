// Rounded inputs against the formulas in double, against folding, and bit by bit.
#include "treat/rounded_inputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/error.h"
#include "compute/testing.h"
#include "measure/damage_estimate.h"
#include "measure/output_errors.h"
#include "measure/treatment_scores.h"
#include "model/folding.h"
#include "model/model_files.h"
#include "model/test_models.h"
#include "model/tiny_models.h"
#include "tensor/float16.h"
#include "treat/treatment_overlay.h"

namespace assay {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// max |x_c| of every linear's input, read from the tensors themselves.
class RangeTap final : public Tap {
  public:
    explicit RangeTap(compute::Backend& backend) : backend_(backend) {}
    void linear(const LinearItem& item, const compute::Batch&, const compute::Tensor& input,
                const compute::Tensor&) override {
        const Matrix<float> x = compute::to_host(backend_, input);
        std::vector<double>& own = ranges[item.name];
        own.resize(static_cast<std::size_t>(x.cols()), 0.0);
        for (std::int64_t r = 0; r < x.rows(); ++r) {
            for (std::size_t c = 0; c < own.size(); ++c)
                own[c] = std::max(own[c], std::abs(static_cast<double>(x.row(r)[c])));
        }
    }
    void block(std::int64_t, const TokenChunk&, const compute::Tensor&) override {}

    std::map<std::string, std::vector<double>> ranges;

  private:
    compute::Backend& backend_;
};

double f16_of(double value) {
    return f16_to_f32(f32_to_f16(static_cast<float>(value)));
}

// y of one row, all in double: x / s and W s rounded to int8, multiplied, rescaled.
std::vector<double> plain_w8a8(std::span<const float> x, const Matrix<float>& w, const std::vector<double>& s,
                               double static_scale) {
    std::vector<double> codes(x.size());
    double largest = 0;
    for (std::size_t c = 0; c < x.size(); ++c) largest = std::max(largest, std::abs(x[c] / s[c]));
    const double x_scale = static_scale > 0 ? static_scale : largest / 127;
    for (std::size_t c = 0; c < x.size(); ++c)
        codes[c] = std::clamp(std::nearbyint(x[c] / s[c] / x_scale), -128.0, 127.0);
    std::vector<double> y;
    for (std::int64_t o = 0; o < w.rows(); ++o) {
        double most = 0, sum = 0;
        for (std::size_t c = 0; c < x.size(); ++c) most = std::max(most, std::abs(w.row(o)[c] * s[c]));
        const double w_scale = f16_of(most / 127);
        for (std::size_t c = 0; c < x.size(); ++c)
            sum += codes[c] * std::clamp(std::nearbyint(w.row(o)[c] * s[c] / w_scale), -128.0, 127.0);
        y.push_back(sum * x_scale * w_scale);
    }
    return y;
}

class RoundedInputsTest : public ::testing::TestWithParam<const char*> {
  protected:
    std::vector<std::unique_ptr<RoundedInputs>> calibrate(const Engine& engine,
                                                          std::vector<std::string> texts) const {
        std::vector<Treatment> treatments;
        for (const std::string& text : texts) treatments.push_back(parse_treatment(text));
        return calibrate_inputs(model_, engine, windows_, items_, treatments);
    }

    Model model_ = tiny_model(GetParam());
    std::vector<EvaluationWindow> windows_ =
        with_context(random_windows({60, 80, 70, 40}, model_.config().vocabulary), 0);
    std::vector<std::size_t> items_ = block_items(model_);
};

INSTANTIATE_TEST_SUITE_P(Tiny, RoundedInputsTest,
                         ::testing::Values("llama-bias-sharded", "mixtral", "gemma2", "phi3-partial"),
                         [](const auto& info) {
                             std::string name = info.param;
                             std::erase(name, '-');
                             return name;
                         });

// Moves what lies within a hundredth of a step of a tie: there the last bit of a scale decides. The scale is
// that of all rows, or, where it is 0, of each row's largest.
Matrix<float> away_from_ties(Matrix<float> x, const std::vector<double>& s, double scale) {
    for (std::int64_t r = 0; r < x.rows(); ++r) {
        double largest = 0;
        for (std::size_t c = 0; c < s.size(); ++c)
            largest = std::max(largest, std::abs(static_cast<double>(x.row(r)[c])) / s[c]);
        for (std::size_t c = 0; c < s.size(); ++c) {
            const double step = (scale > 0 ? scale : largest / 127) * s[c];
            const double code = static_cast<double>(x.row(r)[c]) / step;
            if (std::abs(code - std::floor(code) - 0.5) < 0.01)
                x.row(r)[c] = static_cast<float>((std::floor(code) + 0.4) * step);
        }
    }
    return x;
}

TEST_P(RoundedInputsTest, LinearsAreTheFormulasInDoubleOnBothBackends) {
    TestEngine engine;
    const auto reference = compute::make_reference_backend();
    const auto treated =
        calibrate(engine, {"int8-sym-channel+a8-token:smooth(alpha=0.7)", "int8-sym-channel+a8-tensor:smooth",
                           "int8-sym-channel+a8-tensor"});
    const double alphas[] = {0.7, 0.5, -1};
    RangeTap tap(*engine.backend);
    run_pass(model_, engine, make_chunks(windows_, 4096), {.tap = &tap});
    std::size_t checked = 0;
    for (const Fold& fold : find_folds(model_, 1)) {
        const LinearItem& last = model_.items()[fold.readers.back()];
        const bool shares = !std::is_sorted(fold.rows.begin(), fold.rows.end());
        const bool expert = model_.block(1).ops[static_cast<std::size_t>(last.op)].routing >= 0;
        if (shares || expert || last.role != LinearItem::Role::kBlock) continue;
        ++checked;
        std::vector<double> w_max(static_cast<std::size_t>(last.in), 0.0);
        for (std::size_t i : fold.readers) {
            const Matrix<float> w = read_weight(model_.weights(), model_.items()[i].name);
            for (std::int64_t r = 0; r < w.rows(); ++r) {
                for (std::size_t c = 0; c < w_max.size(); ++c)
                    w_max[c] = std::max(w_max[c], std::abs(static_cast<double>(w.row(r)[c])));
            }
        }
        const std::vector<double>& x_max = tap.ranges.at(last.name);
        const Matrix<float> w = read_weight(model_.weights(), last.name),
                            x = compute::random_matrix(9, last.in, 4, 3);
        for (std::size_t t = 0; t < treated.size(); ++t) {
            std::vector<double> s(x_max.size(), 1.0);
            double range = 0;
            for (std::size_t c = 0; c < s.size(); ++c) {
                if (alphas[t] >= 0 && fold.obstacle.empty())
                    s[c] = std::pow(x_max[c], alphas[t]) * std::pow(w_max[c], alphas[t] - 1);
                range = std::max(range, x_max[c] / s[c]);
            }
            const double scale = t == 0 ? 0 : range / 127;
            const Matrix<float> own_x = away_from_ties(x, s, scale);
            for (compute::Backend* backend : {engine.backend.get(), reference.get()}) {
                const auto packed = pack_operation(model_, *backend, last, treated[t].get(), {});
                compute::Tensor y = backend->allocate(9, last.out);
                backend->linear(compute::Batch({9}), compute::to_device(*backend, own_x), *packed, nullptr,
                                y);
                Matrix<double> expected(9, last.out), actual(9, last.out);
                for (std::int64_t r = 0; r < 9; ++r) {
                    const auto row = plain_w8a8(own_x.row(r), w, s, scale);
                    std::copy(row.begin(), row.end(), expected.row(r).begin());
                    const Matrix<float> own = compute::to_host(*backend, y);
                    std::copy(own.row(r).begin(), own.row(r).end(), actual.row(r).begin());
                }
                EXPECT_LT(compute::difference(expected, actual), 1e-4) << last.name << ", treatment " << t;
            }
        }
    }
    EXPECT_GT(checked, 0u);
}

TEST_P(RoundedInputsTest, ThreadsAndMemoryChangeNoBit) {
    TestEngine one(1), three(3);
    three.limits = {.state_bytes = 1, .head_bytes = 1, .chunk_rows = 50};
    const std::vector<std::string> texts{"int8-sym-channel+a8-tensor:smooth(search)",
                                         "int8-sym-channel+a8-tensor:smooth(scored,search)",
                                         "fp8-e4m3+afp8-token:smooth(one-alpha,search)"};
    const auto a = calibrate(one, texts), b = calibrate(three, texts);
    for (std::size_t t = 0; t < texts.size(); ++t) {
        EXPECT_EQ(a[t]->reports(), b[t]->reports());
        for (std::size_t i : items_) {
            const InputSetting &x = a[t]->setting(model_.items()[i].name),
                               &y = b[t]->setting(model_.items()[i].name);
            EXPECT_EQ(x.divisors, y.divisors);
            EXPECT_EQ(x.scale, y.scale);
        }
        EXPECT_TRUE(compute::same_bits(window_logits(model_, one, windows_[0].tokens, a[t].get()),
                                       window_logits(model_, three, windows_[0].tokens, b[t].get())));
    }
}

TEST_P(RoundedInputsTest, ScalesAreThoseThatTheSourcesCanTakeUp) {
    TestEngine engine;
    const auto treated = calibrate(engine, {"int8-sym-channel+a8-token:smooth"});
    std::vector<FoldedScales> folded;
    for (std::int64_t b = 0; b < model_.config().layers; ++b) {
        for (Fold& fold : find_folds(model_, b)) {
            const std::vector<float>& s =
                treated[0]->setting(model_.items()[fold.readers.back()].name).divisors;
            EXPECT_EQ(s.empty(), !fold.obstacle.empty());
            if (!s.empty()) folded.push_back({std::move(fold), s});
        }
    }
    EXPECT_NO_THROW(FoldedWeights(model_, folded));  // it refuses scales that differ within a row
}

// x / s and W s are exact for powers of two: then folding gives the same codes, and the same bits.
TEST_P(RoundedInputsTest, SmoothingIsFolding) {
    TestEngine engine;
    std::vector<FoldedScales> folded;
    std::map<std::string, std::shared_ptr<const InputSetting>, std::less<>> settings;
    const Treatment treatment = parse_treatment("int8-sym-channel+a8-token");
    for (std::int64_t b = 0; b < model_.config().layers; ++b) {
        for (Fold& fold : find_folds(model_, b)) {
            auto setting = std::make_shared<InputSetting>();
            for (std::int64_t row : fold.rows)
                setting->divisors.push_back(std::ldexp(1.0f, static_cast<int>(row % 5) - 2));
            for (std::size_t i : fold.readers) {
                if (model_.items()[i].role == LinearItem::Role::kBlock)
                    settings[model_.items()[i].name] = setting;
            }
            if (fold.obstacle.empty()) folded.push_back({std::move(fold), setting->divisors});
        }
    }
    ASSERT_FALSE(folded.empty());
    const RoundedInputs smoothed(treatment, std::move(settings));
    const Model other(model_.path(), model_.config(), make_blocks(model_.config()),
                      std::make_shared<FoldedWeights>(model_, folded));
    const TreatmentOverlay plain(
        treatment, [](const LinearItem& item) { return item.role == LinearItem::Role::kBlock; });
    const Matrix<float> a = window_logits(model_, engine, windows_[0].tokens, &smoothed),
                        b = window_logits(other, engine, windows_[0].tokens, &plain);
    if (model_.config().norm_offset == 0)
        EXPECT_TRUE(compute::same_bits(a, b));
    else
        EXPECT_LT(compute::difference(a, b), 0.05);  // weights less an offset are rounded once more
}

// Ranges of windows 0 and 2, damage on 1 and 3, each α scored by itself.
TEST_P(RoundedInputsTest, AScoredSearchTakesTheAlphasOfTheLeastDamage) {
    TestEngine engine;
    const std::vector<EvaluationWindow> seen{windows_[0], windows_[2]}, held_out{windows_[1], windows_[3]};
    std::vector<Treatment> treatments;
    for (const double alpha : kSearchedAlphas) {
        treatments.push_back(parse_treatment("int8-sym-channel+a8-token:smooth"));
        treatments.back().options["alpha"] = alpha;
    }
    const auto fixed = calibrate_inputs(model_, engine, seen, items_, treatments);
    std::vector<const WeightOverlay*> overlays;
    for (const auto& overlay : fixed) overlays.push_back(overlay.get());
    const ScoreResult scored =
        score_treatments(model_, engine, held_out, {.items = items_, .treatments = overlays});
    std::map<std::pair<std::int64_t, int>, std::vector<double>> damages;  // of the linears of one fold
    const auto fold_key = [&](std::size_t item) {
        const std::int64_t block = model_.items()[item].block;
        return std::pair(block, fold_of(find_folds(model_, block), item).slot);
    };
    for (const TreatmentScore& score : scored.scores) {
        auto& sums = damages[fold_key(score.item)];
        sums.resize(treatments.size());
        sums[score.treatment] += estimate_damage(scored, score.sums).kl;
    }
    const auto searched = calibrate(engine, {"int8-sym-channel+a8-token:smooth(search,scored)"});
    std::set<double> found;
    for (const CalibratedLinear& linear : searched[0]->reports()) {
        if (!linear.input->alpha) continue;
        const auto item = std::find_if(model_.items().begin(), model_.items().end(),
                                       [&](const LinearItem& i) { return i.name == linear.name; });
        const auto& sums = damages[fold_key(static_cast<std::size_t>(item - model_.items().begin()))];
        const auto least = std::min_element(sums.begin(), sums.end()) - sums.begin();
        EXPECT_EQ(*linear.input->alpha, kSearchedAlphas[least]) << linear.name;
        found.insert(*linear.input->alpha);
    }
    EXPECT_GT(found.size(), 1u);
}

TEST_P(RoundedInputsTest, ASearchIsNoWorseOnItsWindowsThanAnySingleAlpha) {
    TestEngine engine;
    const auto treated =
        calibrate(engine, {"int8-sym-channel+a8-token:smooth(search)", "int8-sym-channel+a8-token:smooth",
                           "int8-sym-channel+a8-token:smooth(alpha=0.8)"});
    const auto squares = [&](std::size_t t, std::int64_t block, int slot) {
        double sum = 0;
        for (const CalibratedLinear& linear : treated[t]->reports()) {
            const auto item = std::find_if(model_.items().begin(), model_.items().end(),
                                           [&](const LinearItem& i) { return i.name == linear.name; });
            const auto index = static_cast<std::size_t>(item - model_.items().begin());
            if (item->block != block || fold_of(find_folds(model_, block), index).slot != slot) continue;
            const double e = linear.input->smoothed_output_error.value_or(0);
            sum += e * e;
        }
        return sum;
    };
    for (const Fold& fold : find_folds(model_, 0)) {
        for (std::size_t t : {1u, 2u}) EXPECT_LE(squares(0, 0, fold.slot), squares(t, 0, fold.slot));
    }
}

TEST(RoundedInputs, AnInputThatNoPositionReachesIsScaledByItselfAndReported) {
    const Model model = tiny_model("mixtral");
    TestEngine engine;
    const auto windows = with_context(random_windows({2}, model.config().vocabulary), 0);
    const std::vector<Treatment> treatments{parse_treatment("int8-sym-channel+a8-tensor")};
    const auto items = block_items(model);
    const auto treated = calibrate_inputs(model, engine, windows, items, treatments);
    std::size_t unreached = 0;
    for (const CalibratedLinear& linear : treated[0]->reports()) {
        EXPECT_EQ(linear.fallback.has_value(), !linear.input->scale.has_value());
        if (!linear.fallback) continue;
        ++unreached;
        EXPECT_EQ(linear.positions, 0);
        EXPECT_THAT(*linear.fallback, HasSubstr("each position has its own scale"));
    }
    EXPECT_GT(unreached, 0u);
}

TEST(RoundedInputs, HaveNoChangeOfWeightsToShow) {
    const Model model = tiny_model("llama-tied");
    const TreatmentOverlay overlay(parse_treatment("int8-sym-channel+a8-token"),
                                   [](const LinearItem&) { return true; });
    Matrix<float> w = read_weight(model.weights(), model.items()[0].name);
    EXPECT_THAT([&] { overlay.apply(model.items()[0], w.view()); },
                ThrowsMessage<InvalidArgument>(HasSubstr("its inputs are rounded, too")));
    EXPECT_FALSE(overlay.row_wise());
    EXPECT_FALSE(overlay.treats(model.embedding_item()));
    EXPECT_FALSE(overlay.treats(model.head_item()));
}

TEST(RoundedInputs, NeedWindowsItemsOfBlocksAndActivations) {
    const Model model = tiny_model("llama-tied");
    TestEngine engine;
    const auto windows = with_context(random_windows({20, 20}, model.config().vocabulary), 0);
    const std::vector<std::size_t> items = block_items(model), none, head{model.items().size() - 1};
    const std::vector<Treatment> smooth{parse_treatment("int8-sym-channel+a8-token:smooth")},
        weights{parse_treatment("int8-sym-channel")};
    EXPECT_THROW(calibrate_inputs(model, engine, {}, items, smooth), InvalidArgument);
    EXPECT_THROW(calibrate_inputs(model, engine, windows, none, smooth), InvalidArgument);
    EXPECT_THROW(calibrate_inputs(model, engine, windows, head, smooth), InvalidArgument);
    EXPECT_THROW(calibrate_inputs(model, engine, windows, items, weights), InvalidArgument);
    EXPECT_THROW(TreatmentOverlay(smooth[0], [](const LinearItem&) { return true; }), InvalidArgument);
    EXPECT_THROW(TreatmentOverlay(parse_treatment("int8-sym-channel+a8-tensor"),
                                  [](const LinearItem&) { return true; }),
                 InvalidArgument);
}

// ‖f(X) - X Wᵀ‖ beside ‖X Wᵀ‖: of an operation that is always 0 all of it.
TEST(RoundedInputs, OutputErrorsAreOfTheWholeOperation) {
    const Model model = tiny_model("llama-tied");
    class Nothing final : public WeightOverlay {
      public:
        bool treats(const LinearItem& item) const override { return item.block >= 0; }
        bool rounds_inputs() const override { return true; }
        compute::RoundedLinear rounded(const LinearItem& item, MatrixView<const float>) const override {
            return {.codes = Matrix<float>(item.out, item.in),
                    .scales = std::vector<float>(static_cast<std::size_t>(item.out), 1.0f),
                    .input = {}};
        }
    };
    TestEngine engine;
    const Nothing nothing;
    const TreatmentOverlay rounded(parse_treatment("int8-sym-channel+a8-token"),
                                   [](const LinearItem&) { return true; });
    const std::vector<const WeightOverlay*> treatments{&nothing, &rounded};
    const auto windows = with_context(random_windows({40, 30}, model.config().vocabulary), 0);
    for (const auto& errors : output_errors(model, engine, windows, block_items(model), treatments)) {
        EXPECT_NEAR(errors[0], 1, 1e-6);
        EXPECT_GT(errors[1], 1e-4);
        EXPECT_LT(errors[1], 0.05);
    }
}

}  // namespace
}  // namespace assay
