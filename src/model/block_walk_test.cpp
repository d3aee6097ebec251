// The walk through the blocks against the pass, for every kind of block; and what a look shows.
#include "model/block_walk.h"

#include <gtest/gtest.h>

#include <map>

#include "model/model_files.h"
#include "model/test_models.h"

namespace assay {
namespace {

// Inputs of linears by name, of all chunks one after the other.
using Inputs = std::map<std::string, std::vector<float>>;

void append(const Engine& engine, const LinearItem& item, const compute::Tensor& input, Inputs& inputs) {
    Matrix<float> x(input.rows(), input.cols());
    engine.backend.download(input, x.view());
    std::vector<float>& all = inputs[item.name];
    all.insert(all.end(), x.values().begin(), x.values().end());
}

class InputTap final : public Tap {
  public:
    explicit InputTap(const Engine& engine) : engine_(engine) {}
    void linear(const LinearItem& item, const compute::Batch& rows, const compute::Tensor& input,
                const compute::Tensor&) override {
        EXPECT_EQ(rows.rows(), input.rows());
        append(engine_, item, input, inputs);
    }
    void block(std::int64_t, const TokenChunk&, const compute::Tensor&) override {}

    Inputs inputs;

  private:
    const Engine& engine_;
};

class WalkTest : public ::testing::TestWithParam<const char*> {
  protected:
    Inputs of_pass(const Engine& engine, const WeightOverlay* overlay = nullptr) {
        InputTap tap(engine);
        run_pass(model_, engine, make_chunks(windows_, 4096), {.overlay = overlay, .tap = &tap});
        return tap.inputs;
    }
    static InputSeen into(const Engine& engine, Inputs& inputs) {
        return [&](const LinearItem& item, const compute::Batch& rows, const compute::Tensor& input) {
            EXPECT_EQ(rows.rows(), input.rows());
            append(engine, item, input, inputs);
        };
    }
    std::vector<std::size_t> linears_of(std::int64_t block) const {
        std::vector<std::size_t> linears;
        const auto& ops = model_.block(block).ops;
        for (std::size_t i = 0; i < ops.size(); ++i) {
            if (ops[i].kind == BlockOpKind::kLinear) linears.push_back(i);
        }
        return linears;
    }

    Model model_ = load_model(open_model_files(std::filesystem::path(ASSAY_TEST_DATA) / "tiny" / GetParam()));
    std::vector<EvaluationWindow> windows_ =
        with_context(random_windows({45, 20, 33}, model_.config().vocabulary), 0);
};

INSTANTIATE_TEST_SUITE_P(Tiny, WalkTest,
                         ::testing::Values("llama-bias-sharded", "gemma2", "gemma3-text", "mixtral",
                                           "qwen2-moe", "phi3-partial", "olmo2"),
                         [](const auto& info) {
                             std::string name = info.param;
                             std::erase(name, '-');
                             return name;
                         });

TEST_P(WalkTest, ShowsTheInputsThatAPassShowsBitForBit) {
    TestEngine test;
    const Engine engine = test;
    const Inputs expected = of_pass(engine);
    for (int threads : {1, 3}) {
        TestEngine own(threads);
        for (const MemoryLimits& limits : {MemoryLimits{}, MemoryLimits{.chunk_rows = 40},
                                           MemoryLimits{.state_bytes = 1, .chunk_rows = 50}}) {
            own.limits = limits;
            const Engine other = own;
            BlockWalk walk(model_, other, windows_);
            EXPECT_EQ(walk.rows(), 98);
            Inputs seen;
            while (walk.block() < model_.config().layers) walk.advance(nullptr, into(other, seen));
            // A look at single linears computes them anew.
            BlockWalk looking(model_, other, windows_);
            Inputs looked;
            while (looking.block() < model_.config().layers) {
                for (std::size_t linear : linears_of(looking.block()))
                    looking.look(std::vector<std::size_t>{linear}, nullptr, into(other, looked));
                looking.advance(nullptr);
            }
            if (limits.chunk_rows >= 98) {
                EXPECT_EQ(seen, expected);
                EXPECT_EQ(looked, expected);
            } else {  // experts' rows of several chunks come in another order of the same
                EXPECT_EQ(seen, looked);
                const std::string first = "model.layers.1.self_attn.q_proj",
                                  fused = "model.layers.1.self_attn.qkv_proj";
                const std::string& name = expected.contains(first) ? first : fused;
                EXPECT_EQ(seen.at(name), expected.at(name));
            }
        }
    }
}

TEST_P(WalkTest, MovesOnWithTheOverlaysWeights) {
    TestEngine test;
    const Engine engine = test;
    const LinearItem& changed = model_.item_of(0, linears_of(0)[0]);
    const ScaleOverlay overlay(changed.name, 1.5f);
    BlockWalk walk(model_, engine, windows_);
    Inputs before, after;
    walk.look(linears_of(0), nullptr, into(engine, before));
    walk.advance(&overlay);
    walk.advance(&overlay, into(engine, after));
    const Inputs plain = of_pass(engine), treated = of_pass(engine, &overlay);
    for (const auto& [name, input] : before) EXPECT_EQ(input, plain.at(name)) << name;
    int different = 0;
    for (const auto& [name, input] : after) {
        EXPECT_EQ(input, treated.at(name)) << name;
        different += input == plain.at(name) ? 0 : 1;
    }
    EXPECT_GT(different, 0);
}

}  // namespace
}  // namespace assay
