// Block sums against naive softmax in double, token by token.
#include "measure/scores.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "model/test_models.h"

namespace assay {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kContext = 3;

// ln softmax(logits), in double.
std::vector<double> log_softmax(std::span<const float> logits) {
    double top = -INFINITY, sum = 0;
    for (float v : logits) top = std::max(top, static_cast<double>(v));
    for (float v : logits) sum += std::exp(v - top);
    std::vector<double> out;
    for (float v : logits) out.push_back(v - top - std::log(sum));
    return out;
}

struct Naive {
    std::vector<BlockSums> reference, treated;
    std::vector<double> treated_nll, token_kl;
};

// Each window alone on the reference backend, each token by itself.
Naive score_naively(const Model& model, const WeightOverlay& overlay,
                    const std::vector<TokenWindow>& windows) {
    TestEngine engine;
    engine.backend = compute::make_reference_backend();
    Naive out;
    for (std::size_t w = 0; w < windows.size(); ++w) {
        const Matrix<float> a = window_logits(model, engine, windows[w]),
                            b = window_logits(model, engine, windows[w], &overlay);
        for (std::int64_t t = kContext; t < a.rows(); ++t) {
            if ((t - kContext) % 64 == 0) {
                out.reference.push_back({.window = static_cast<std::int64_t>(w)});
                out.treated.push_back({.window = static_cast<std::int64_t>(w)});
            }
            const auto p = log_softmax(a.row(t)), q = log_softmax(b.row(t));
            const auto target = static_cast<std::size_t>(windows[w][static_cast<std::size_t>(t) + 1]);
            double kl = 0;
            for (std::size_t v = 0; v < p.size(); ++v) kl += std::exp(p[v]) * (p[v] - q[v]);
            const bool same = std::max_element(p.begin(), p.end()) - p.begin() ==
                              std::max_element(q.begin(), q.end()) - q.begin();
            BlockSums &reference = out.reference.back(), &treated = out.treated.back();
            ++reference.tokens;
            ++reference.top1;
            reference.nll_sum -= p[target];
            ++treated.tokens;
            treated.top1 += same ? 1 : 0;
            treated.nll_sum -= q[target];
            treated.kl_sum += kl;
            out.treated_nll.push_back(-q[target]);
            out.token_kl.push_back(kl);
        }
    }
    return out;
}

class ScoresTest : public ::testing::Test {
  protected:
    std::vector<RunScores> score(compute::Backend& backend, std::int64_t chunk_rows,
                                 bool keep_tokens = true) {
        const Engine engine{backend, engine_.pool, silent_progress(), engine_.cancel};
        const auto chunks = make_chunks(windows_, kContext, chunk_rows);
        const PassResult reference = run_pass(model_, engine, chunks, {}),
                         treated = run_pass(model_, engine, chunks, {.overlay = &overlay_});
        const std::vector<const FinalStates*> variants{&treated.reference};
        return score_runs(engine, chunks, reference.reference, variants, keep_tokens);
    }

    static void expect_near(const std::vector<BlockSums>& expected, const std::vector<BlockSums>& actual,
                            double per_token) {
        ASSERT_EQ(expected.size(), actual.size());
        for (std::size_t i = 0; i < actual.size(); ++i) {
            const double tolerance = per_token * static_cast<double>(expected[i].tokens);
            EXPECT_EQ(actual[i].window, expected[i].window) << i;
            EXPECT_EQ(actual[i].tokens, expected[i].tokens) << i;
            EXPECT_EQ(actual[i].top1, expected[i].top1) << i;
            EXPECT_NEAR(actual[i].nll_sum, expected[i].nll_sum, tolerance) << i;
            EXPECT_NEAR(actual[i].kl_sum, expected[i].kl_sum, tolerance) << i;
        }
    }

    Model model_ = random_model(small_llama_config());
    ScaleOverlay overlay_{"model.layers.0.mlp.up_proj", 1.4f};
    // Scored positions are 3 fewer than tokens less one: 1, 64 (one whole block), 65, 296 (four blocks and
    // 40).
    std::vector<TokenWindow> windows_ = random_windows({5, 68, 69, 300}, 97);
    TestEngine engine_;
};

TEST_F(ScoresTest, BlockSumsEqualNaiveOnesOnBothBackends) {
    const Naive naive = score_naively(model_, overlay_, windows_);
    const auto reference_backend = compute::make_reference_backend();
    const auto exact = score(*reference_backend, 4096);
    expect_near(naive.reference, exact[0].blocks, 1e-6);
    expect_near(naive.treated, exact[1].blocks, 1e-6);
    const auto cpu = score(*engine_.backend, 4096);
    expect_near(naive.reference, cpu[0].blocks, 1e-5);
    expect_near(naive.treated, cpu[1].blocks, 1e-5);
    ASSERT_EQ(cpu[1].token_kl.size(), naive.token_kl.size());
    for (std::size_t t = 0; t < naive.token_kl.size(); ++t)
        EXPECT_NEAR(cpu[1].token_kl[t], naive.token_kl[t], 1e-5) << t;
    ASSERT_EQ(cpu[1].token_nll.size(), naive.treated_nll.size());
    for (std::size_t t = 0; t < naive.treated_nll.size(); ++t)
        EXPECT_NEAR(cpu[1].token_nll[t], naive.treated_nll[t], 1e-5) << t;
}

TEST_F(ScoresTest, BlocksBeginAnewInEachWindow) {
    std::vector<std::pair<std::int64_t, std::int64_t>> layout;
    const auto scores = score(*engine_.backend, 4096);
    for (const BlockSums& b : scores[0].blocks) layout.emplace_back(b.window, b.tokens);
    const std::vector<std::pair<std::int64_t, std::int64_t>> expected{
        {0, 1}, {1, 64}, {2, 64}, {2, 1}, {3, 64}, {3, 64}, {3, 64}, {3, 64}, {3, 40}};
    EXPECT_EQ(layout, expected);
}

TEST_F(ScoresTest, ChunksChangeNoBit) {
    const auto whole = score(*engine_.backend, 4096), parts = score(*engine_.backend, 1);
    for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_EQ(whole[i].blocks, parts[i].blocks);
        EXPECT_EQ(whole[i].token_kl, parts[i].token_kl);
        EXPECT_EQ(whole[i].token_nll, parts[i].token_nll);
    }
}

TEST_F(ScoresTest, OtherVariantsChangeNoBit) {
    const auto alone = score(*engine_.backend, 4096);
    const auto chunks = make_chunks(windows_, kContext, 4096);
    const PassResult reference = run_pass(model_, engine_, chunks, {}),
                     treated = run_pass(model_, engine_, chunks, {.overlay = &overlay_});
    std::vector<const FinalStates*> variants;
    for (int i = 0; i < 65; ++i) variants.push_back(i % 3 == 0 ? &reference.reference : &treated.reference);
    const auto many = score_runs(engine_, chunks, reference.reference, variants, true);
    ASSERT_EQ(many.size(), variants.size() + 1);
    for (std::size_t i = 0; i < many.size(); ++i) {
        const RunScores& expected = i == 0 || (i - 1) % 3 == 0 ? alone[0] : alone[1];
        EXPECT_EQ(many[i].blocks, expected.blocks) << i;
        EXPECT_EQ(many[i].token_kl, expected.token_kl) << i;
    }
}

TEST_F(ScoresTest, TheReferenceIsExactlyItself) {
    const RunScores reference = score(*engine_.backend, 4096)[0];
    for (const BlockSums& b : reference.blocks) {
        EXPECT_EQ(b.kl_sum, 0);
        EXPECT_EQ(b.top1, b.tokens);
    }
}

TEST_F(ScoresTest, TokensAreKeptOnlyWhereAskedFor) {
    const auto without = score(*engine_.backend, 4096, false);
    EXPECT_TRUE(without[1].token_kl.empty() && without[1].token_nll.empty());
    const RunScores with = score(*engine_.backend, 4096)[1];
    double tokens = 0, blocks = 0;
    for (double kl : with.token_kl) tokens += kl;
    for (const BlockSums& b : with.blocks) blocks += b.kl_sum;
    EXPECT_NEAR(tokens, blocks, 1e-12 * blocks);
}

TEST_F(ScoresTest, NanNamesTheRunTheWindowAndThePosition) {
    const auto chunks = make_chunks(windows_, kContext, 4096);
    const PassResult reference = run_pass(model_, engine_, chunks, {});
    PassResult damaged = run_pass(model_, engine_, chunks, {});
    compute::Tensor& states = damaged.reference.chunks[0];
    Matrix<float> values(states.rows(), states.cols());
    engine_.backend->download(states, values.view());
    values.view()(1 + 64 + 7, 5) =
        std::numeric_limits<float>::quiet_NaN();  // the eighth scored position of window 2
    engine_.backend->upload(values.view(), states);
    const std::vector<const FinalStates*> variants{&damaged.reference};
    try {
        score_runs(engine_, chunks, reference.reference, variants);
        FAIL() << "no error";
    } catch (const NumericError& e) {
        EXPECT_THAT(
            e.what(),
            HasSubstr("the treated model gives no finite probability in window 2, scored position 7"));
    }
    try {
        score_runs(engine_, chunks, damaged.reference, {});
        FAIL() << "no error";
    } catch (const NumericError& e) {
        EXPECT_THAT(e.what(), HasSubstr("the model gives no finite probability in window 2"));
    }
}

TEST_F(ScoresTest, OverflowingLogitsAreANumericError) {
    const auto chunks = make_chunks(windows_, kContext, 4096);
    const ScaleOverlay overflow("lm_head", 3e38f);
    const PassResult reference = run_pass(model_, engine_, chunks, {}),
                     treated = run_pass(model_, engine_, chunks, {.overlay = &overflow});
    const std::vector<const FinalStates*> variants{&treated.reference};
    EXPECT_THROW(score_runs(engine_, chunks, reference.reference, variants), NumericError);
}

TEST(AppendScores, ShiftsTheWindowsOfAGroup) {
    RunScores all{.blocks = {{.window = 0, .tokens = 2}}, .token_nll = {1, 2}, .token_kl = {0.1, 0.2}};
    const RunScores group{.blocks = {{.window = 0, .tokens = 1}, {.window = 1, .tokens = 3}},
                          .token_nll = {3},
                          .token_kl = {0.3}};
    append_scores(group, 5, all);
    ASSERT_EQ(all.blocks.size(), 3u);
    EXPECT_EQ(all.blocks[1].window, 5);
    EXPECT_EQ(all.blocks[2].window, 6);
    EXPECT_EQ(all.blocks[2].tokens, 3);
    EXPECT_EQ(all.token_nll, (std::vector<double>{1, 2, 3}));
    EXPECT_EQ(all.token_kl, (std::vector<double>{0.1, 0.2, 0.3}));
}

}  // namespace
}  // namespace assay
