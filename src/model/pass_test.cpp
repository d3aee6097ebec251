// The pass on a small random model: forks equal whole re-evaluations, controls are exact, bits depend on
// nothing.
#include "model/pass.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/error.h"
#include "base/rng.h"
#include "compute/testing.h"
#include "model/architectures.h"
#include "model/random_model.h"

namespace assay {
namespace {

// Multiplies an item's weight by a factor.
class Scale final : public WeightOverlay {
  public:
    Scale(std::string name, float factor) : name_(std::move(name)), factor_(factor) {}
    bool treats(const LinearItem& item) const override { return item.name == name_; }
    void apply(const LinearItem&, MatrixView<float> w) const override {
        for (std::int64_t r = 0; r < w.rows(); ++r) {
            for (float& v : w.row(r)) v *= factor_;
        }
    }

  private:
    std::string name_;
    float factor_;
};

std::vector<TokenWindow> random_windows(std::vector<int> lengths, std::uint64_t seed) {
    Rng rng(seed);
    std::vector<TokenWindow> windows;
    for (int n : lengths) {
        TokenWindow window;
        for (int i = 0; i < n; ++i) window.push_back(static_cast<std::int32_t>(rng.below(97)));
        windows.push_back(std::move(window));
    }
    return windows;
}

class PassTest : public ::testing::TestWithParam<bool> {
  protected:
    void SetUp() override { make_model(GetParam()); }

    void make_model(bool tied) {
        ModelConfig config = small_llama_config();
        config.tied_head = tied;
        config.qkv_bias = config.output_bias = !tied;
        model_ = std::make_unique<Model>("random", config, make_blocks(config), random_weights(config, 3));
    }

    PassResult run(const PassOptions& options, std::int64_t max_rows = 2048, int threads = 2) {
        ThreadPool pool(threads);
        const auto backend = compute::make_cpu_backend(pool);
        const CancelToken cancel;
        const Engine engine{*backend, pool, silent_progress(), cancel};
        return run_pass(*model_, engine, make_chunks(windows_, 3, max_rows), options);
    }

    // All kept states of a run, window after window.
    static std::vector<float> values(const FinalStates& states) {
        ThreadPool pool(1);
        const auto backend = compute::make_cpu_backend(pool);
        std::vector<float> all;
        for (const auto& chunk : states.chunks) {
            Matrix<float> m(chunk.rows(), chunk.cols());
            backend->download(chunk, m.view());
            all.insert(all.end(), m.values().begin(), m.values().end());
        }
        return all;
    }

    std::unique_ptr<Model> model_;
    std::vector<TokenWindow> windows_ = random_windows({40, 300, 7}, 5);
};

INSTANTIATE_TEST_SUITE_P(Heads, PassTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Tied" : "UntiedWithBias"; });

TEST_P(PassTest, EveryForkEqualsAWholeRunOfTheSwappedModelBitForBit) {
    std::vector<Scale> scales;
    for (const LinearItem& item : model_->items()) scales.emplace_back(item.name, 1.07f);
    std::vector<Fork> forks;
    for (std::size_t i = 0; i < scales.size(); ++i) forks.push_back({i, &scales[i]});
    const PassResult all = run({.forks = forks});
    const auto reference = values(all.reference);
    for (std::size_t i = 0; i < forks.size(); ++i) {
        const PassResult whole = run({.overlay = &scales[i]});
        EXPECT_EQ(values(all.forks[i].states), values(whole.reference)) << model_->items()[i].name;
        if (model_->items()[i].role != LinearItem::Role::kHead) {
            EXPECT_NE(values(all.forks[i].states), reference) << model_->items()[i].name;
        }
    }
}

TEST_P(PassTest, AForkThatChangesNothingGivesTheReferencesBits) {
    const Scale nothing("no such linear", 2);
    std::vector<Fork> forks;
    for (std::size_t i = 0; i < model_->items().size(); ++i) forks.push_back({i, &nothing});
    const PassResult result = run({.forks = forks});
    for (const ForkResult& fork : result.forks) {
        EXPECT_EQ(values(fork.states), values(result.reference));
        for (const auto& block : fork.propagation) {
            for (const auto& sums : block) EXPECT_EQ(sums.error, 0);
        }
    }
}

TEST_P(PassTest, BitsDependOnNeitherThreadsNorChunks) {
    const Scale scale("model.layers.0.self_attn.v_proj", 0.9f);
    const std::vector<Fork> forks{{2, &scale}};
    const PassResult first = run({.forks = forks});
    for (int threads : {1, 3}) {
        for (std::int64_t max_rows : {1, 50, 4096}) {
            const PassResult other = run({.forks = forks}, max_rows, threads);
            EXPECT_EQ(values(first.reference), values(other.reference));
            EXPECT_EQ(values(first.forks[0].states), values(other.forks[0].states));
            EXPECT_EQ(first.forks[0].propagation[1][2].error, other.forks[0].propagation[1][2].error);
        }
    }
}

TEST_P(PassTest, OutputErrorOfAScaledLinearIsItsScaleMinusOne) {
    // Without bias Y scales with W, so ‖ΔY‖/‖Y‖ is exactly |factor - 1| but for rounding (the MLP has no
    // biases in either variant); down also checks that the residual is left out.
    for (const char* name :
         {"model.layers.1.mlp.down_proj", "model.layers.0.mlp.down_proj", "model.layers.0.mlp.gate_proj"}) {
        const Scale scale(name, 1.5f);
        std::size_t index = 0;
        while (model_->items()[index].name != name) ++index;
        const std::vector<Fork> forks{{index, &scale}};
        const PassResult result = run({.forks = forks});
        ASSERT_EQ(result.forks[0].output_error.size(), windows_.size());
        for (const auto& sums : result.forks[0].output_error)
            EXPECT_NEAR(std::sqrt(sums.error / sums.reference), 0.5, 1e-5);
        EXPECT_EQ(result.forks[0].propagation.size(),
                  static_cast<std::size_t>(2 - model_->items()[index].block));
    }
}

// Counts what it sees and checks shapes.
class CountingTap final : public Tap {
  public:
    void linear(const LinearItem& item, const compute::Batch& rows, const compute::Tensor& input,
                const compute::Tensor& output) override {
        ++linears;
        EXPECT_EQ(input.rows(), rows.rows());
        EXPECT_EQ(input.cols(), item.in);
        EXPECT_EQ(output.cols(), item.out);
    }
    void block(std::int64_t block, const TokenChunk&, const compute::Tensor& state) override {
        blocks.push_back(block);
        EXPECT_EQ(state.cols(), 48);
    }
    int linears = 0;
    std::vector<std::int64_t> blocks;
};

TEST_P(PassTest, TapsSeeEveryLinearAndEveryBlock) {
    CountingTap tap;
    run({.tap = &tap});
    EXPECT_EQ(tap.linears, 14);
    EXPECT_EQ(tap.blocks, (std::vector<std::int64_t>{-1, 0, 1}));
}

// Keeps the outputs of the second block's down_proj.
class DownTap final : public Tap {
  public:
    explicit DownTap(compute::Backend& backend) : backend_(backend) {}
    void linear(const LinearItem& item, const compute::Batch&, const compute::Tensor& input,
                const compute::Tensor& output) override {
        if (item.name != "model.layers.1.mlp.down_proj") return;
        inputs.push_back(compute::to_host(backend_, input));
        outputs.push_back(compute::to_host(backend_, output));
    }
    void block(std::int64_t, const TokenChunk&, const compute::Tensor&) override {}
    std::vector<Matrix<float>> inputs, outputs;

  private:
    compute::Backend& backend_;
};

TEST_P(PassTest, ATapSeesOutputsWithoutResidualsWhereTheyArePartedAndTheRunIsTheSame) {
    ThreadPool pool(1);
    const auto backend = compute::make_cpu_backend(pool);
    DownTap with(*backend), apart(*backend);
    const PassResult whole = run({.tap = &with});
    const PassResult parted = run({.tap = &apart, .residuals_apart = true});
    const Matrix<float> w = read_weight(model_->weights(), "model.layers.1.mlp.down_proj");
    for (std::size_t c = 0; c < apart.outputs.size(); ++c) {
        const Matrix<float>& x = apart.inputs[c];
        Matrix<float> expected(x.rows(), w.rows());
        for (std::int64_t t = 0; t < x.rows(); ++t) {
            for (std::int64_t o = 0; o < w.rows(); ++o) {
                double y = 0;
                for (std::int64_t i = 0; i < x.cols(); ++i)
                    y += static_cast<double>(x.view()(t, i)) * static_cast<double>(w.view()(o, i));
                expected.view()(t, o) = static_cast<float>(y);
            }
        }
        EXPECT_LT(compute::difference(expected, apart.outputs[c]), 1e-5);
        EXPECT_GT(compute::difference(expected, with.outputs[c]), 1e-2);
    }
    EXPECT_LT(compute::difference(compute::to_host(*backend, whole.reference.chunks[0]),
                                  compute::to_host(*backend, parted.reference.chunks[0])),
              1e-5);
    const Scale overlay("model.layers.1.mlp.down_proj", 1);
    const std::vector<Fork> forks{{0, &overlay}};
    EXPECT_THROW(run({.forks = forks, .residuals_apart = true}), InvalidArgument);
}

TEST(TokenChunks, KeepWindowsWholeAndScoreAfterTheContext) {
    const auto windows = random_windows({10, 10, 25}, 1);
    const auto chunks = make_chunks(windows, 4, 20);
    ASSERT_EQ(chunks.size(), 2u);
    EXPECT_EQ(chunks[0].rows.windows(), 2);
    EXPECT_EQ(chunks[1].first_window, 2);
    EXPECT_EQ(chunks[0].scored.rows(), 10);  // two windows of 10 - 1 - 4
    EXPECT_EQ(chunks[0].targets[0], windows[0][5]);
    EXPECT_EQ(chunks[0].targets[5], windows[1][5]);
    EXPECT_EQ(chunks[1].targets.back(), windows[2].back());
    EXPECT_THROW(make_chunks(windows, 9, 20), InvalidArgument);
    EXPECT_THROW(make_chunks(windows, -1, 20), InvalidArgument);
}

TEST(ModelChecks, NameTheMissingOrMisshapenTensor) {
    const ModelConfig config = small_llama_config();
    const auto expect_error = [&](const std::function<void(MemoryWeights&)>& damage,
                                  const std::string& text) {
        const auto weights = random_weights(config, 1);
        damage(*weights);
        try {
            const Model model("m", config, make_blocks(config), weights);
            ADD_FAILURE() << "no error for " << text;
        } catch (const FormatError& e) {
            EXPECT_NE(std::string(e.what()).find(text), std::string::npos) << e.what();
        }
    };
    expect_error([](MemoryWeights& w) { w.matrices.erase("model.layers.1.mlp.up_proj.weight"); },
                 "model.layers.1.mlp.up_proj.weight");
    expect_error([](MemoryWeights& w) { w.matrices["lm_head.weight"] = Matrix<float>(97, 47); }, "[97, 47]");
    expect_error([](MemoryWeights& w) { w.vectors.erase("model.norm.weight"); }, "model.norm.weight");
}

TEST(ModelChecks, NanWeightsAndForeignTokensStopThePass) {
    const ModelConfig config = small_llama_config();
    const auto weights = random_weights(config, 1);
    weights->matrices["model.layers.1.mlp.up_proj.weight"].view()(2, 5) = std::nanf("");
    const Model model("m", config, make_blocks(config), weights);
    ThreadPool pool(2);
    const auto backend = compute::make_cpu_backend(pool);
    CancelToken cancel;
    const Engine engine{*backend, pool, silent_progress(), cancel};
    const auto chunks = make_chunks(random_windows({10}, 1), 0, 100);
    try {
        run_pass(model, engine, chunks, {});
        FAIL() << "no error";
    } catch (const NumericError& e) {
        EXPECT_NE(std::string(e.what()).find("up_proj.weight: nan at row 2, column 5"), std::string::npos)
            << e.what();
    }
    const std::vector<TokenWindow> foreign{{1, 2, 97, 3}};
    EXPECT_THROW(run_pass(model, engine, make_chunks(foreign, 0, 100), {}), FormatError);
    cancel.request();
    EXPECT_THROW(run_pass(model, engine, chunks, {}), Interrupted);
}

}  // namespace
}  // namespace assay
