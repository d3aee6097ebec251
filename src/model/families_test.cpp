// Exactness with every kind of block: bits depend on no thread count, a fork without effect is the reference,
// a fork is the whole run of the swapped model.
#include <gtest/gtest.h>

#include <algorithm>

#include "model/model_files.h"
#include "model/test_models.h"

namespace assay {
namespace {

class FamilyTest : public ::testing::TestWithParam<const char*> {
  protected:
    static Matrix<float> logits(const Model& model, const Engine& engine, const TokenChunk& chunk,
                                const FinalStates& states) {
        Matrix<float> out(chunk.scored.rows(), model.config().vocabulary);
        const auto head = HeadReader(states.head, engine.backend).part(0, out.cols());
        engine.backend.logits(chunk.scored, {&states.chunks[0], head.get()}, out.view());
        return out;
    }

    static bool equal(const Matrix<float>& a, const Matrix<float>& b) {
        return std::equal(a.values().begin(), a.values().end(), b.values().begin(), b.values().end());
    }

    // One fork an item, each multiplying its own weight by the factor.
    PassResult run_forks(const Engine& engine, std::span<const TokenChunk> chunks, float factor) {
        overlays_.clear();
        for (const LinearItem& item : model_.items())
            overlays_.push_back(std::make_unique<ScaleOverlay>(item.name, factor));
        std::vector<Fork> forks;
        for (std::size_t i = 0; i < overlays_.size(); ++i) forks.push_back({i, overlays_[i].get()});
        return run_pass(model_, engine, chunks, {.forks = forks});
    }

    Model model_ = load_model(open_model_files(std::filesystem::path(ASSAY_TEST_DATA) / "tiny" / GetParam()));
    TokenWindow window_ = random_windows({45}, model_.config().vocabulary)[0];
    std::vector<TokenChunk> chunks_ = make_chunks(std::vector<TokenWindow>{window_}, 0, 4096);
    std::vector<std::unique_ptr<ScaleOverlay>> overlays_;
};

INSTANTIATE_TEST_SUITE_P(Tiny, FamilyTest,
                         ::testing::Values("llama-bias-sharded", "mistral-window32", "qwen3", "gemma2",
                                           "gemma3-text", "mixtral", "qwen2-moe", "qwen3-moe", "phi3-partial",
                                           "olmo2"),
                         [](const auto& info) {
                             std::string name = info.param;
                             std::erase(name, '-');
                             return name;
                         });

TEST_P(FamilyTest, ThreadsChangeNoBit) {
    TestEngine one(1);
    const Matrix<float> expected = window_logits(model_, one, window_);
    for (int threads : {2, 3, 4}) {
        TestEngine engine(threads);
        EXPECT_TRUE(equal(window_logits(model_, engine, window_), expected)) << threads;
    }
}

TEST_P(FamilyTest, AForkWithoutEffectIsTheReference) {
    TestEngine engine;
    const PassResult result = run_forks(engine, chunks_, 1.0f);
    const Matrix<float> expected = logits(model_, engine, chunks_[0], result.reference);
    for (std::size_t i = 0; i < result.forks.size(); ++i) {
        const ForkResult& fork = result.forks[i];
        EXPECT_TRUE(equal(logits(model_, engine, chunks_[0], fork.states), expected))
            << model_.items()[i].name;
        for (const auto& windows : fork.propagation) {
            for (const compute::SquaredError& e : windows) EXPECT_EQ(e.error, 0) << model_.items()[i].name;
        }
    }
}

TEST_P(FamilyTest, AForkIsTheWholeRunOfTheSwappedModel) {
    TestEngine engine;
    const PassResult result = run_forks(engine, chunks_, 0.75f);
    const Matrix<float> reference = logits(model_, engine, chunks_[0], result.reference);
    int changed = 0;
    for (std::size_t i = 0; i < result.forks.size(); ++i) {
        const Matrix<float> fork = logits(model_, engine, chunks_[0], result.forks[i].states),
                            naive = window_logits(model_, engine, window_, overlays_[i].get());
        EXPECT_TRUE(equal(fork, naive)) << model_.items()[i].name;
        changed += equal(fork, reference) ? 0 : 1;
    }
    // an expert that no position goes to may change nothing
    EXPECT_GT(changed, static_cast<int>(result.forks.size()) * 3 / 4);
}

// Runtimes keep routers in 16 bits, so they are items of a role of their own.
TEST_P(FamilyTest, RoutersAreItemsThatCanBeSwapped) {
    const auto router = [](const LinearItem& item) { return item.role == LinearItem::Role::kRouter; };
    const ModelConfig& c = model_.config();
    const auto sparse =
        std::count_if(c.layer.begin(), c.layer.end(), [](const LayerConfig& layer) { return layer.experts; });
    EXPECT_EQ(std::count_if(model_.items().begin(), model_.items().end(), router),
              sparse * (c.experts.shared_intermediate > 0 ? 2 : 1));
    TestEngine engine;
    const Matrix<float> reference = window_logits(model_, engine, window_);
    for (const LinearItem& item : model_.items()) {
        if (!router(item)) continue;
        EXPECT_TRUE(item.name.ends_with(".gate") || item.name.ends_with(".shared_expert_gate")) << item.name;
        const ScaleOverlay overlay(item.name, -1);
        EXPECT_FALSE(equal(window_logits(model_, engine, window_, &overlay), reference)) << item.name;
    }
}

}  // namespace
}  // namespace assay
