// Whole runs: groups leave no trace, incomparable models are refused.
#include "measure/runs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "model/test_models.h"

namespace assay {
namespace {

using ::testing::HasSubstr;

class RunsTest : public ::testing::Test {
  protected:
    std::vector<RunScores> measure(std::int64_t state_bytes, const WeightOverlay* overlay) {
        const std::vector<assay::Run> runs{{&model_, nullptr}, {&model_, overlay}};
        engine_.limits.state_bytes = state_bytes;
        return measure_runs(engine_, windows_, runs, {.keep_tokens = true});
    }

    Model model_ = random_model(small_llama_config());
    ScaleOverlay overlay_{"model.layers.1.self_attn.o_proj", 0.7f};
    std::vector<EvaluationWindow> windows_ = with_context(random_windows({90, 20, 131, 20, 7}, 97), 2);
    TestEngine engine_;
};

TEST_F(RunsTest, GroupsChangeNoBit) {
    const auto whole = measure(std::int64_t{4} << 30, &overlay_);
    const std::int64_t two_windows = 2 * pass_state_bytes(model_, *engine_.backend, 131, 2);
    for (std::int64_t state_bytes : {std::int64_t{1}, two_windows}) {
        const auto parts = measure(state_bytes, &overlay_);
        for (std::size_t i = 0; i < 2; ++i) {
            EXPECT_EQ(whole[i].blocks, parts[i].blocks) << state_bytes;
            EXPECT_EQ(whole[i].token_kl, parts[i].token_kl) << state_bytes;
            EXPECT_EQ(whole[i].token_nll, parts[i].token_nll) << state_bytes;
        }
    }
    EXPECT_GT(whole[1].blocks[0].kl_sum, 0);
    EXPECT_EQ(whole[1].blocks.back().window, 4);
}

TEST_F(RunsTest, ChunksAndPartsOfTheHeadChangeNoBit) {
    ModelConfig config = small_llama_config();
    config.vocabulary = 2500;  // three parts of the head
    model_ = random_model(config);
    const auto whole = measure(std::int64_t{4} << 30, &overlay_);
    engine_.limits.head_bytes = 1;
    engine_.limits.chunk_rows = 1;
    const auto parts = measure(std::int64_t{4} << 30, &overlay_);
    EXPECT_EQ(whole[0].token_nll, parts[0].token_nll);
    EXPECT_EQ(whole[1].token_nll, parts[1].token_nll);
    EXPECT_EQ(whole[1].token_kl, parts[1].token_kl);
}

TEST_F(RunsTest, TheSameModelTwiceDiffersByNothing) {
    const auto scores = measure(1, nullptr);
    for (std::size_t i = 0; i < scores[0].blocks.size(); ++i)
        EXPECT_EQ(scores[1].blocks[i], scores[0].blocks[i]);
    for (double kl : scores[1].token_kl) EXPECT_EQ(kl, 0);
}

// Two windows of the same tokens: whatever is context in one has the same bits where the other scores it.
TEST_F(RunsTest, EachWindowHasItsOwnContext) {
    windows_ = {windows_[0], windows_[0]};
    windows_[0].context = 0;
    windows_[1].context = 40;
    const RunScores scores = measure(1 << 30, nullptr)[0];
    ASSERT_EQ(scores.token_nll.size(), 89u + 49u);
    const std::vector<double> tail(scores.token_nll.begin() + 40, scores.token_nll.begin() + 89);
    EXPECT_EQ(std::vector<double>(scores.token_nll.begin() + 89, scores.token_nll.end()), tail);
}

TEST_F(RunsTest, ModelsOfDifferentVocabulariesAreRefused) {
    ModelConfig other_config = small_llama_config();
    other_config.vocabulary = 101;
    const Model other = random_model(other_config);
    const std::vector<assay::Run> runs{{&model_, nullptr}, {&other, nullptr}};
    try {
        measure_runs(engine_, windows_, runs, {});
        FAIL() << "no error";
    } catch (const FormatError& e) {
        EXPECT_THAT(e.what(), HasSubstr("vocabulary of 101 tokens"));
        EXPECT_THAT(e.what(), HasSubstr("one of 97"));
    }
}

TEST_F(RunsTest, ModelsOfDifferentSizesAreCompared) {
    ModelConfig other_config = small_llama_config();
    other_config.layers = 1;
    other_config.hidden = 24;
    const Model other = random_model(other_config, 8);
    const std::vector<assay::Run> pair{{&model_, nullptr}, {&other, nullptr}}, alone{{&other, nullptr}};
    const auto scores = measure_runs(engine_, windows_, pair, {});
    const auto own = measure_runs(engine_, windows_, alone, {});
    for (std::size_t i = 0; i < own[0].blocks.size(); ++i) {
        EXPECT_EQ(scores[1].blocks[i].nll_sum, own[0].blocks[i].nll_sum);
        EXPECT_GT(scores[1].blocks[i].kl_sum, 0);
    }
}

TEST_F(RunsTest, AsManyWindowsGoTogetherAsFit) {
    const std::int64_t one = pass_state_bytes(model_, *engine_.backend, 131, 3);
    EXPECT_EQ(one, 2 * 3 * 131 * 48 * 4);
    EXPECT_EQ(windows_per_group(model_, *engine_.backend, windows_, 3, 1), 1u);
    EXPECT_EQ(windows_per_group(model_, *engine_.backend, windows_, 3, 3 * one - 1), 2u);
    EXPECT_EQ(windows_per_group(model_, *engine_.backend, windows_, 3, 1000 * one), windows_.size());
}

}  // namespace
}  // namespace assay
