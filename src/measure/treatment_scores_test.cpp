// Scores against the exact Fisher of small models: E[S²] over labels is what enumerating all labels gives.
#include "measure/treatment_scores.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "base/error.h"
#include "measure/damage_estimate.h"
#include "measure/scores.h"
#include "model/model_files.h"
#include "model/reverse_pass.h"
#include "model/test_models.h"

namespace assay {
namespace {

// Multiplies every weight by 1 + step · sign, the sign by row and column; row by row, so that any rows will
// do.
class StretchOverlay final : public WeightOverlay {
  public:
    explicit StretchOverlay(double step, const LinearItem* only = nullptr) : step_(step), only_(only) {}
    bool treats(const LinearItem& item) const override { return only_ != nullptr && &item == only_; }
    void apply(const LinearItem&, MatrixView<float> w) const override {
        for (std::int64_t r = 0; r < w.rows(); ++r) {
            for (std::int64_t c = 0; c < w.cols(); ++c)
                w(r, c) *= static_cast<float>(1 + step_ * (c % 3 == 0 ? 1 : -0.5));
        }
    }
    bool row_wise() const override { return true; }

  private:
    double step_;
    const LinearItem* only_;
};

Matrix<double> log_probabilities(const Model& model, const Engine& engine, const TokenChunk& chunk,
                                 const WeightOverlay* overlay) {
    const std::vector<TokenChunk> chunks{chunk};
    const PassResult pass = run_pass(model, engine, chunks, {.overlay = overlay});
    Matrix<float> logits(chunk.scored.rows(), model.config().vocabulary);
    const auto head = HeadReader(pass.reference.head, engine.backend).part(0, logits.cols());
    engine.backend.logits(chunk.scored, {&pass.reference.chunks[0], head.get()}, logits.view());
    Matrix<double> out(logits.rows(), logits.cols());
    for (std::int64_t r = 0; r < logits.rows(); ++r) {
        double sum = 0;
        for (float z : logits.row(r)) sum += std::exp(static_cast<double>(z));
        for (std::int64_t v = 0; v < logits.cols(); ++v)
            out.view()(r, v) = static_cast<double>(logits.view()(r, v)) - std::log(sum);
    }
    return out;
}

// ΔwᵀFΔw = Σ_t Σ_y p_t(y) (d ln p_t(y))²: every label of every position, the derivative along ΔW = step · D
// by central differences.
double exact_fisher(const Model& model, const Engine& engine, std::span<const EvaluationWindow> windows,
                    const LinearItem& item, double step) {
    double sum = 0;
    for (const EvaluationWindow& window : windows) {
        const auto chunk = make_chunks(std::span(&window, 1), 4096)[0];
        const StretchOverlay up(step, &item), down(-step, &item);
        const auto at = log_probabilities(model, engine, chunk, nullptr),
                   a = log_probabilities(model, engine, chunk, &up),
                   b = log_probabilities(model, engine, chunk, &down);
        for (std::size_t i = 0; i < at.values().size(); ++i) {
            const double slope = (a.values()[i] - b.values()[i]) / 2;
            sum += std::exp(at.values()[i]) * slope * slope;
        }
    }
    return sum;
}

class TreatmentScoresTest : public ::testing::TestWithParam<const char*> {
  protected:
    TreatmentScoresTest() {
        options_.items.resize(model_.items().size());
        std::iota(options_.items.begin(), options_.items.end(), std::size_t{0});
        options_.treatments = {&stretch_, &more_};
    }

    ScoreResult score(int threads, std::int64_t state_bytes = std::int64_t{1} << 32) {
        TestEngine engine(threads);
        engine.limits.state_bytes = state_bytes;
        return score_treatments(model_, engine, windows_, options_);
    }

    static constexpr double kStep = 1e-2;
    StretchOverlay stretch_{kStep}, more_{3 * kStep};
    Model model_ = load_model(open_model_files(std::filesystem::path(ASSAY_TEST_DATA) / "tiny" / GetParam()));
    ScoreOptions options_;
    std::vector<EvaluationWindow> windows_ =
        with_context(random_windows({44, 21}, model_.config().vocabulary), 5);
};

class SlowTreatmentScoresTest : public TreatmentScoresTest {};

const auto kFamilies =
    ::testing::Values("llama-tied", "llama-bias-sharded", "gemma2", "qwen3", "phi3-partial", "olmo2");

std::string family_name(const ::testing::TestParamInfo<const char*>& info) {
    std::string name = info.param;
    std::erase(name, '-');
    return name;
}

INSTANTIATE_TEST_SUITE_P(Tiny, TreatmentScoresTest, kFamilies, family_name);
INSTANTIATE_TEST_SUITE_P(Tiny, SlowTreatmentScoresTest, kFamilies, family_name);

// Slow for its draws: estimates are skewed, and a mean of few lies low together with its own error.
TEST_P(SlowTreatmentScoresTest, MeanOverDrawsIsTheExactFisher) {
    constexpr int kDraws = 200;
    TestEngine engine(2);
    std::vector<double> mean(model_.items().size()), square(model_.items().size());
    for (int seed = 0; seed < kDraws; ++seed) {
        options_.seed = static_cast<std::uint64_t>(seed);
        const ScoreResult result = score_treatments(model_, engine, windows_, options_);
        const auto tokens = static_cast<double>(result.window_tokens[0] + result.window_tokens[1]);
        for (const TreatmentScore& s : result.scores) {
            if (s.treatment != 0) continue;
            const double fisher = 2 * tokens * estimate_damage(result, s.sums).kl_windows;
            mean[s.item] += fisher / kDraws;
            square[s.item] += fisher * fisher / kDraws;
        }
    }
    for (std::size_t i = 0; i < mean.size(); ++i) {
        const double exact = exact_fisher(model_, engine, windows_, model_.items()[i], kStep);
        const double error = std::sqrt((square[i] - mean[i] * mean[i]) / kDraws);
        EXPECT_LT(std::abs(mean[i] - exact), 4 * error)
            << model_.items()[i].name << ": exact " << exact << ", estimated " << mean[i] << " +/- " << error;
    }
}

TEST_P(TreatmentScoresTest, ScaleWithTheSquareOfTheChange) {
    const ScoreResult result = score(2);
    for (std::size_t s = 0; s < result.scores.size(); s += 2) {
        const double one = estimate_damage(result, result.scores[s].sums).kl,
                     three = estimate_damage(result, result.scores[s + 1].sums).kl;
        EXPECT_NEAR(three / one, 9, 0.02) << model_.items()[result.scores[s].item].name;
    }
}

TEST_P(TreatmentScoresTest, ThreadsAndGroupsChangeNoBit) {
    const ScoreResult one = score(1);
    for (const ScoreResult& other : {score(2), score(4), score(2, 1)}) {
        for (std::size_t s = 0; s < one.scores.size(); ++s)
            EXPECT_EQ(one.scores[s].sums, other.scores[s].sums) << model_.items()[one.scores[s].item].name;
        EXPECT_EQ(one.baseline, other.baseline);
        EXPECT_EQ(one.window_tokens, other.window_tokens);
    }
}

TEST_P(TreatmentScoresTest, TheBaselineIsThatOfAForwardRun) {
    TestEngine engine(2);
    const auto chunks = make_chunks(windows_, 4096);
    const PassResult pass = run_pass(model_, engine, chunks, {});
    EXPECT_EQ(score(2).baseline, score_runs(engine, chunks, pass.reference, {})[0].blocks);
}

TEST(TreatmentScores, LeaveOutEmbeddingsUnderTreatmentsThatNeedWholeMatrices) {
    const Model model = random_model(small_llama_config());
    const ScaleOverlay whole("any", 1.1f);
    TestEngine engine;
    const std::size_t last = model.items().size() - 1;
    const auto windows = with_context(random_windows({20}, 97), 2);
    const ScoreResult result =
        score_treatments(model, engine, windows, {.items = {0, last}, .treatments = {&whole}});
    EXPECT_EQ(result.unscored, std::vector<std::size_t>{last});
    ASSERT_EQ(result.scores.size(), 1u);
    EXPECT_EQ(result.scores[0].item, 0u);
}

// Σ_oi g² ΔW² x² of one item, block by block, from the gradients themselves.
class SquareTap final : public GradientTap {
  public:
    SquareTap(const LinearItem& item, compute::Backend& backend, const Matrix<float>& change)
        : item_(item), backend_(backend), change_(change) {}
    void linear(const LinearItem& item, std::span<const std::int64_t>, const compute::Tensor& input,
                const compute::Tensor& g_output) override {
        if (&item != &item_) return;
        Matrix<float> x(input.rows(), input.cols()), g(g_output.rows(), g_output.cols());
        backend_.download(input, x.view());
        backend_.download(g_output, g.view());
        sums.assign(static_cast<std::size_t>((x.rows() + kScorePositions - 1) / kScorePositions), 0.0);
        for (std::int64_t t = 0; t < x.rows(); ++t) {
            for (std::int64_t o = 0; o < g.cols(); ++o) {
                for (std::int64_t c = 0; c < x.cols(); ++c) {
                    const double term = static_cast<double>(g.view()(t, o)) *
                                        static_cast<double>(change_.view()(o, c)) *
                                        static_cast<double>(x.view()(t, c));
                    sums[static_cast<std::size_t>(t / kScorePositions)] += term * term;
                }
            }
        }
    }
    void head(std::int64_t, const compute::Tensor&, const compute::Tensor&) override {}
    void embedding(const compute::Tensor&) override {}

    std::vector<double> sums;

  private:
    const LinearItem& item_;
    compute::Backend& backend_;
    const Matrix<float>& change_;
};

TEST(TreatmentScores, OfRandomSignsAreWhatSquaresAreExpectedToBe) {
    const Model model = random_model(small_llama_config());
    const StretchOverlay stretch(0.1);
    TestEngine engine;
    const auto windows = with_context(random_windows({70}, 97), 6);
    const LinearItem& item = model.items()[3];
    const ScoreResult result = score_treatments(
        model, engine, windows, {.items = {3}, .treatments = {&stretch}, .seed = 9, .random_signs = true});
    const Matrix<float> w = read_weight(model.weights(), item.name);
    Matrix<float> change = w;
    stretch.apply(item, change.view());
    for (std::size_t i = 0; i < w.values().size(); ++i) change.values()[i] -= w.values()[i];
    Rng rng(9, 0);
    std::vector<double> uniforms(63);
    for (double& u : uniforms) u = rng.uniform();
    SquareTap tap(item, *engine.backend, change);
    run_reverse_pass(model, engine, make_chunks(windows, 4096)[0], uniforms, tap);
    ASSERT_EQ(result.scores.at(0).sums.size(), tap.sums.size());
    for (std::size_t b = 0; b < tap.sums.size(); ++b)
        EXPECT_NEAR(result.scores[0].sums[b], tap.sums[b], 1e-5 * tap.sums[b]);
    EXPECT_THROW(score_treatments(
                     model, engine, windows,
                     {.items = {model.items().size() - 1}, .treatments = {&stretch}, .random_signs = true}),
                 InvalidArgument);
}

// Treatments that make a linear's output 0: as a change of its weight, and as another operation.
class ZeroOverlay final : public WeightOverlay {
  public:
    explicit ZeroOverlay(bool rounds) : rounds_(rounds) {}
    bool treats(const LinearItem&) const override { return true; }
    bool rounds_inputs() const override { return rounds_; }
    void apply(const LinearItem&, MatrixView<float> w) const override {
        for (std::int64_t r = 0; r < w.rows(); ++r) std::fill(w.row(r).begin(), w.row(r).end(), 0.0f);
    }
    compute::RoundedLinear rounded(const LinearItem& item, MatrixView<const float>) const override {
        return {.codes = Matrix<float>(item.out, item.in),
                .scales = std::vector<float>(static_cast<std::size_t>(item.out), 1.0f),
                .input = {}};
    }

  private:
    bool rounds_;
};

TEST(TreatmentScores, OfAnOtherOperationAreThoseOfTheSameChange) {
    for (const char* name : {"llama-tied", "mixtral"}) {
        const Model model =
            load_model(open_model_files(std::filesystem::path(ASSAY_TEST_DATA) / "tiny" / name));
        const ZeroOverlay change(false), operation(true);
        ScoreOptions options{.items = {}, .treatments = {&operation, &change, &operation}};
        for (std::size_t i = 0; i < model.items().size(); ++i) {
            if (model.items()[i].role == LinearItem::Role::kBlock) options.items.push_back(i);
        }
        options.attributed = options.items;
        TestEngine engine;
        const auto windows = with_context(random_windows({44, 21}, model.config().vocabulary), 5);
        const ScoreResult result = score_treatments(model, engine, windows, options);
        EXPECT_TRUE(result.attributions.empty());
        for (std::size_t s = 0; s < result.scores.size(); s += 3) {
            double largest = 0;
            for (double sum : result.scores[s + 1].sums) largest = std::max(largest, std::abs(sum));
            for (std::size_t b = 0; b < result.blocks.size(); ++b) {
                EXPECT_NEAR(result.scores[s].sums[b], result.scores[s + 1].sums[b], 1e-5 * largest);
                EXPECT_EQ(result.scores[s].sums[b], result.scores[s + 2].sums[b]);
            }
        }
        options.items.push_back(model.items().size() - 1);
        EXPECT_THROW(score_treatments(model, engine, windows, options), InvalidArgument);
    }
}

TEST(TreatmentScores, NeedItemsTreatmentsAndWindows) {
    const Model model = random_model(small_llama_config());
    const StretchOverlay stretch(0.1);
    TestEngine engine;
    const auto windows = with_context(random_windows({20}, 97), 2);
    EXPECT_THROW(score_treatments(model, engine, windows, {.items = {}, .treatments = {&stretch}}),
                 InvalidArgument);
    EXPECT_THROW(score_treatments(model, engine, windows, {.items = {0}, .treatments = {}}), InvalidArgument);
    EXPECT_THROW(score_treatments(model, engine, {}, {.items = {0}, .treatments = {&stretch}}),
                 InvalidArgument);
}

}  // namespace
}  // namespace assay
