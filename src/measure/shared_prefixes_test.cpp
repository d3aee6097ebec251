// Prefixes computed once give the bits of windows computed whole, in every family, precision and grouping.
#include <gtest/gtest.h>

#include "measure/run_cost.h"
#include "measure/runs.h"
#include "model/model_files.h"
#include "model/test_models.h"

namespace assay {
namespace {

// A prompt that questions share, questions that their choices share; some choices begin alike, one is a
// single token.
std::vector<EvaluationWindow> questions(std::int64_t vocabulary) {
    const auto pieces = random_windows({37, 21, 40, 8, 9, 1, 30, 2}, vocabulary);
    std::vector<EvaluationWindow> windows;
    for (const std::size_t question : {1, 2}) {
        for (const std::size_t choice : {3, 4, 5, 6}) {
            EvaluationWindow window{pieces[0]};
            window.tokens.insert(window.tokens.end(), pieces[question].begin(), pieces[question].end());
            window.context = std::ssize(window.tokens) - 1;
            if (choice == 4)
                window.tokens.insert(window.tokens.end(), pieces[3].begin(), pieces[3].begin() + 3);
            window.tokens.insert(window.tokens.end(), pieces[choice].begin(), pieces[choice].end());
            windows.push_back(window);
        }
    }
    windows.push_back({pieces[7]});
    return windows;
}

class SharedPrefixesTest : public ::testing::TestWithParam<const char*> {
  protected:
    std::vector<RunScores> measure(const Engine& engine, Prefixes prefixes) const {
        const ScaleOverlay overlay{"model.layers.1.mlp.down_proj", 0.7f};
        const std::vector<assay::Run> runs{{&model_, nullptr}, {&model_, &overlay}};
        return measure_runs(engine, windows_, runs, {.keep_tokens = true, .prefixes = prefixes});
    }

    void expect_same_bits(const std::vector<RunScores>& whole, const std::vector<RunScores>& shared) const {
        for (std::size_t run = 0; run < 2; ++run) {
            EXPECT_EQ(whole[run].blocks, shared[run].blocks);
            EXPECT_EQ(whole[run].token_nll, shared[run].token_nll);
            EXPECT_EQ(whole[run].token_kl, shared[run].token_kl);
        }
    }

    Model model_ = load_model(open_model_files(std::filesystem::path(ASSAY_TEST_DATA) / "tiny" / GetParam()));
    std::vector<EvaluationWindow> windows_ = questions(model_.config().vocabulary);
};

INSTANTIATE_TEST_SUITE_P(Tiny, SharedPrefixesTest,
                         ::testing::Values("llama-tied", "llama-bias-sharded", "mistral-window32", "gemma2",
                                           "gemma3-text", "mixtral", "qwen2-moe", "qwen3", "phi3-partial",
                                           "olmo2"),
                         [](const auto& info) {
                             std::string name = info.param;
                             std::erase(name, '-');
                             return name;
                         });

TEST_P(SharedPrefixesTest, ChangeNoBitInAnyGrouping) {
    TestEngine engine;
    const auto whole = measure(engine, Prefixes::kSeparate);
    expect_same_bits(whole, measure(engine, Prefixes::kShared));
    engine.limits.chunk_rows = 80;
    expect_same_bits(whole, measure(engine, Prefixes::kShared));
    engine.limits.state_bytes = 3 * pass_state_bytes(model_, *engine.backend, 80, 2);
    expect_same_bits(whole, measure(engine, Prefixes::kShared));
    engine.limits = {.state_bytes = 1, .head_bytes = 1, .chunk_rows = 1};
    expect_same_bits(whole, measure(engine, Prefixes::kShared));
}

TEST_P(SharedPrefixesTest, ChangeNoBitWithOtherKernelsThreadsAndPrecisions) {
    for (const compute::CpuOptions options : {compute::CpuOptions{.kernels = compute::CpuKernels::kAvx2},
                                              {.precision = compute::Precision::kBf16}}) {
        if (!compute::cpu_supports(options)) continue;
        TestEngine one(1), three(3);
        one.backend = compute::make_cpu_backend(one.pool, options);
        three.backend = compute::make_cpu_backend(three.pool, options);
        expect_same_bits(measure(one, Prefixes::kSeparate), measure(three, Prefixes::kShared));
    }
}

TEST_P(SharedPrefixesTest, AgreeWithTheNaiveBackend) {
    TestEngine engine;
    engine.backend = compute::make_reference_backend();
    expect_same_bits(measure(engine, Prefixes::kSeparate), measure(engine, Prefixes::kShared));
}

TEST(GroupSize, FitsTheStatesOfWindowsThatShareTheirPrefixes) {
    const Model model = random_model(small_llama_config());
    TestEngine engine;
    const auto windows = questions(97);
    const auto shared = shared_rows(windows, Prefixes::kShared);
    std::int64_t all = 0, alone = 0;
    for (const ChunkRun& run : plan_chunks(windows, shared, 4096)) all += run.rows;
    for (const auto& window : windows) alone += std::ssize(window.tokens);
    EXPECT_LT(3 * all, alone);
    const std::int64_t row = pass_state_bytes(model, *engine.backend, 1, 2);
    MemoryLimits limits{.state_bytes = all * row, .chunk_rows = 4096};
    GroupSize size = group_size(model, *engine.backend, windows, shared, 2, limits);
    EXPECT_EQ(size.windows, windows.size());
    EXPECT_EQ(size.rows, all);
    limits.state_bytes -= 1;
    size = group_size(model, *engine.backend, windows, shared, 2, limits);
    EXPECT_EQ(size.windows, (windows.size() + 1) / 2);
    EXPECT_LT(size.rows, all);
    limits.state_bytes = 1;
    EXPECT_EQ(group_size(model, *engine.backend, windows, shared, 2, limits).windows, 1u);
}

TEST(SharedPrefixes, AreRefusedWhereTheRotationDependsOnTheWindowsLength) {
    ModelConfig config = small_llama_config();
    config.max_positions = 200;
    const auto windows = questions(97);
    EXPECT_TRUE(can_share_prefixes(random_model(config), windows));
    config.rope.original_max_positions = 64;
    config.rope.long_divisors =
        std::vector<float>(static_cast<std::size_t>(config.rope.dimensions / 2), 2.0f);
    EXPECT_FALSE(can_share_prefixes(random_model(config), windows));
}

// What is predicted counts shared rows once.
TEST(SharedPrefixes, ArePredictedToTakeLess) {
    const Model model = random_model(small_llama_config());
    TestEngine engine;
    const auto windows = questions(97);
    const Rates rates{.linear_flops = 1e9,
                      .attention_flops = 1e9,
                      .head_flops = 1e9,
                      .packed_elements = 1e9,
                      .disk_bytes = 1e9};
    Workload work{.model = &model, .windows = windows};
    const double separate = predict_seconds(work, rates, engine.limits, *engine.backend);
    const std::int64_t states = memory_need(work, *engine.backend, 2, engine.limits).states;
    work.shared = shared_rows(windows, Prefixes::kShared);
    EXPECT_LT(predict_seconds(work, rates, engine.limits, *engine.backend), 0.7 * separate);
    EXPECT_LT(3 * memory_need(work, *engine.backend, 2, engine.limits).states, states);
}

}  // namespace
}  // namespace assay
