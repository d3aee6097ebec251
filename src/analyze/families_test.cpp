// The sweep equals naive swaps bit for bit with every kind of block, experts and routers included.
#include <gtest/gtest.h>

#include <numeric>

#include "analyze/sensitivity.h"
#include "model/model_files.h"
#include "model/test_models.h"

namespace assay {
namespace {

class FamilySweepTest : public ::testing::TestWithParam<const char*> {
  protected:
    FamilySweepTest() {
        options_.items.resize(model_.items().size());
        std::iota(options_.items.begin(), options_.items.end(), std::size_t{0});
    }

    SensitivityResult sweep(int threads) {
        TestEngine engine(threads);
        return measure_sensitivity(model_, engine, windows_, options_);
    }

    Model model_ = load_model(open_model_files(std::filesystem::path(ASSAY_TEST_DATA) / "tiny" / GetParam()));
    SensitivityOptions options_{.treatments = {parse_treatment("int3-g16")}, .items = {}, .seed = 1};
    std::vector<EvaluationWindow> windows_ =
        with_context(random_windows({40, 13}, model_.config().vocabulary), 5);
};

INSTANTIATE_TEST_SUITE_P(Tiny, FamilySweepTest,
                         ::testing::Values("llama-bias-sharded", "gemma2", "mixtral", "qwen2-moe",
                                           "phi3-partial", "olmo2"),
                         [](const auto& info) {
                             std::string name = info.param;
                             std::erase(name, '-');
                             return name;
                         });

TEST_P(FamilySweepTest, EqualsEveryNaiveSwapBitForBit) {
    const SensitivityResult result = sweep(2);
    ASSERT_EQ(result.linears.size(), model_.items().size());
    EXPECT_EQ(result.control->kl, 0);
    EXPECT_TRUE(result.control->identical);
    TestEngine engine;
    for (std::size_t i = 0; i < model_.items().size(); ++i) {
        const auto own = [&](const SensitivityLinear& l) { return l.name == model_.items()[i].name; };
        const auto linear = std::find_if(result.linears.begin(), result.linears.end(), own);
        ASSERT_NE(linear, result.linears.end());
        EXPECT_EQ(linear->blocks, measure_swap_naively(model_, engine, windows_, options_.treatments[0], i))
            << linear->name;
    }
}

TEST_P(FamilySweepTest, ThreadsChangeNoBit) {
    const SensitivityResult one = sweep(1);
    for (int threads : {2, 3, 4}) EXPECT_EQ(one, sweep(threads)) << threads;
}

}  // namespace
}  // namespace assay
