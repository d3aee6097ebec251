#include "measure/input_energy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "model/test_models.h"

namespace assay {
namespace {

using ::testing::ElementsAre;

class EnergyTest : public ::testing::Test {
  protected:
    std::map<std::size_t, std::vector<double>> energies(int threads = 2) {
        TestEngine engine(threads);
        engine.limits = limits_;
        return input_energies(model_, engine, windows_, items_);
    }

    Model model_ = random_model(small_llama_config());
    MemoryLimits limits_;
    std::vector<std::size_t> items_{0, 6, 13};
    std::vector<EvaluationWindow> windows_ = with_context(random_windows({40, 13, 30}, 97), 5);
};

TEST_F(EnergyTest, SharedInputsHaveOneEnergyThatTheNormFixes) {
    items_ = {0, 1};  // q_proj and k_proj read the same norm
    ASSERT_EQ(model_.items()[0].projection, "q_proj");
    ASSERT_EQ(model_.items()[1].projection, "k_proj");
    const auto all = energies();
    EXPECT_EQ(all.at(0), all.at(1));
    // Σ over channels of (x / norm weight)² is the hidden size at each of the 83 positions.
    const auto norm = read_vector(model_.weights(), "model.layers.0.input_layernorm.weight");
    double sum = 0;
    for (std::size_t c = 0; c < norm.size(); ++c)
        sum += all.at(0)[c] / (static_cast<double>(norm[c]) * static_cast<double>(norm[c]));
    EXPECT_NEAR(sum, 83 * 48, 1e-2 * 83 * 48);
}

TEST_F(EnergyTest, ThreadsGroupsAndChunksChangeNoBit) {
    const auto one = energies(1);
    EXPECT_EQ(one, energies(3));
    limits_ = {.state_bytes = 1, .chunk_rows = 16};
    EXPECT_EQ(one, energies());
}

TEST_F(EnergyTest, TheHeadAndNoWindowsAreRefused) {
    items_ = {model_.items().size() - 1};
    EXPECT_THROW(energies(), InvalidArgument);
    items_ = {0};
    windows_.clear();
    EXPECT_THROW(energies(), InvalidArgument);
}

TEST(MostEnergetic, ComeByChannelAndFirstOnTies) {
    const std::vector<double> energies{1, 5, 2, 5, 2};
    EXPECT_THAT(most_energetic(energies, 3), ElementsAre(1, 2, 3));
    EXPECT_THAT(most_energetic(energies, 9), ElementsAre(0, 1, 2, 3, 4));
    EXPECT_THAT(most_energetic(energies, 0), ElementsAre());
}

}  // namespace
}  // namespace assay
