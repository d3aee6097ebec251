#include "measure/hessians.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/error.h"
#include "measure/activations.h"
#include "model/model_files.h"
#include "model/test_models.h"

namespace assay {
namespace {

using ::testing::ElementsAre;

// All rows of every linear's input, window after window.
class RowsTap final : public Tap {
  public:
    explicit RowsTap(compute::Backend& backend) : backend_(backend) {}
    void linear(const LinearItem& item, const compute::Batch&, const compute::Tensor& input,
                const compute::Tensor&) override {
        Matrix<float> x(input.rows(), input.cols());
        backend_.download(input, x.view());
        for (std::int64_t r = 0; r < x.rows(); ++r)
            rows[item.name].emplace_back(x.row(r).begin(), x.row(r).end());
    }
    void block(std::int64_t, const TokenChunk&, const compute::Tensor&) override {}

    std::map<std::string, std::vector<std::vector<double>>> rows;

  private:
    compute::Backend& backend_;
};

std::vector<std::size_t> block_items(const Model& model) {
    std::vector<std::size_t> items;
    for (std::size_t i = 0; i < model.items().size(); ++i) {
        if (model.items()[i].block >= 0) items.push_back(i);
    }
    return items;
}

bool same(const compute::SymmetricMatrix& a, const compute::SymmetricMatrix& b) {
    for (std::int64_t r = 0; r < a.size(); ++r) {
        for (std::int64_t c = 0; c <= r; ++c) {
            if (a(r, c) != b(r, c)) return false;
        }
    }
    return a.size() == b.size();
}

class HessianTest : public ::testing::TestWithParam<const char*> {
  protected:
    Model model_ = load_model(open_model_files(std::filesystem::path(ASSAY_TEST_DATA) / "tiny" / GetParam()));
    std::vector<EvaluationWindow> windows_ =
        with_context(random_windows({45, 20, 70}, model_.config().vocabulary), 0);
    std::vector<std::size_t> items_ = block_items(model_);
};

INSTANTIATE_TEST_SUITE_P(Tiny, HessianTest,
                         ::testing::Values("llama-bias-sharded", "gemma2", "mixtral", "qwen2-moe",
                                           "phi3-partial"),
                         [](const auto& info) {
                             std::string name = info.param;
                             std::erase(name, '-');
                             return name;
                         });

TEST_P(HessianTest, AreTheSumsOfOuterProductsOfEveryLinearsInput) {
    TestEngine test;
    const Engine engine = test;
    RowsTap tap(engine.backend);
    run_pass(model_, engine, make_chunks(windows_, 4096), {.tap = &tap});
    std::size_t items = 0;
    for (const Hessian& h : measure_hessians(model_, engine, windows_, items_)) {
        for (std::size_t i : h.input.items) {
            ++items;
            const auto& rows = tap.rows[model_.items()[i].name];
            EXPECT_EQ(h.positions, std::ssize(rows));
            ASSERT_EQ(h.sums.size(), model_.items()[i].in);
            for (std::int64_t r = 0; r < h.sums.size(); ++r) {
                for (std::int64_t c = 0; c <= r; ++c) {
                    double sum = 0, size = 1e-30;
                    for (const auto& x : rows) {
                        sum += x[static_cast<std::size_t>(r)] * x[static_cast<std::size_t>(c)];
                        size += std::abs(x[static_cast<std::size_t>(r)] * x[static_cast<std::size_t>(c)]);
                    }
                    // Chains of at most 256 products in f32.
                    ASSERT_NEAR(h.sums(r, c), sum, 256 * 6e-8 * size) << model_.items()[i].name;
                }
            }
        }
    }
    EXPECT_EQ(items, items_.size());
}

TEST_P(HessianTest, ThreadsGroupsAndRangesOfBlocksChangeNoBit) {
    TestEngine one(1);
    const auto expected = measure_hessians(model_, one, windows_, items_);
    for (const MemoryLimits& limits : {MemoryLimits{}, MemoryLimits{.state_bytes = 1, .chunk_rows = 50}}) {
        TestEngine three(3);
        three.limits = limits;
        std::size_t index = 0;
        for (std::int64_t block = 0; block < model_.config().layers; ++block) {
            std::vector<std::size_t> own;
            for (std::size_t i : items_) {
                if (model_.items()[i].block == block) own.push_back(i);
            }
            for (const Hessian& h : measure_hessians(model_, three, windows_, own)) {
                ASSERT_LT(index, expected.size());
                EXPECT_EQ(h.input.items, expected[index].input.items);
                EXPECT_EQ(h.positions, expected[index].positions);
                EXPECT_TRUE(same(h.sums, expected[index].sums)) << model_.items()[h.input.items[0]].name;
                ++index;
            }
        }
        EXPECT_EQ(index, expected.size());
    }
}

// Every second window's sums are those of these windows alone, however all of them are grouped.
TEST_P(HessianTest, HalvesHoldEverySecondWindow) {
    const std::vector<EvaluationWindow> second{windows_[1]};
    TestEngine one(1);
    const auto expected = measure_hessians(model_, one, second, items_),
               all = measure_hessians(model_, one, windows_, items_);
    for (const MemoryLimits& limits : {MemoryLimits{}, MemoryLimits{.state_bytes = 1, .chunk_rows = 1}}) {
        TestEngine test(2);
        const Engine engine = test;
        std::vector<SharedInput> inputs = shared_inputs(model_, items_);
        for (SharedInput& input : inputs) input.halves = true;
        HessianTap tap(model_, engine.backend, inputs);
        run_pass(model_, engine, make_chunks(windows_, limits.chunk_rows), {.tap = &tap});
        const auto hessians = tap.take();
        for (std::size_t i = 0; i < hessians.size(); ++i) {
            EXPECT_TRUE(same(hessians[i].held_out, expected[i].sums));
            EXPECT_TRUE(same(hessians[i].sums, all[i].sums));
            EXPECT_EQ(hessians[i].positions, all[i].positions);
        }
    }
    EXPECT_EQ(all[0].held_out.size(), 0);
}

TEST(Hessians, LinearsThatReadOneInputShareIt) {
    const Model model = random_model(small_llama_config());
    const std::vector<std::size_t> items = block_items(model);  // q k v o gate up down, twice
    std::vector<std::vector<std::size_t>> shared;
    for (const SharedInput& input : shared_inputs(model, items)) shared.push_back(input.items);
    EXPECT_THAT(shared,
                ElementsAre(ElementsAre(0, 1, 2), ElementsAre(3), ElementsAre(4, 5), ElementsAre(6),
                            ElementsAre(7, 8, 9), ElementsAre(10), ElementsAre(11, 12), ElementsAre(13)));
    EXPECT_EQ(shared_inputs(model, std::vector<std::size_t>{8, 2}).front().items[0], 2u);
    EXPECT_THROW(shared_inputs(model, std::vector<std::size_t>{model.items().size() - 1}), InvalidArgument);
}

TEST(Hessians, TheDiagonalIsTheInputsEnergy) {
    const Model model = random_model(small_llama_config());
    TestEngine engine;
    const auto windows = with_context(random_windows({40, 13}, 97), 0);
    const std::vector<std::size_t> items{6};
    const Activations activations = measure_activations(model, engine, windows, items);
    const auto& energies = activations.input(6).channel_energy;
    const auto hessians = measure_hessians(model, engine, windows, items);
    for (std::int64_t c = 0; c < hessians[0].sums.size(); ++c) {
        const double energy = energies[static_cast<std::size_t>(c)];
        EXPECT_NEAR(hessians[0].sums(c, c), energy, 1e-5 * energy);
    }
}

TEST(Hessians, PositionsMayBeWeighed) {
    const Model model = random_model(small_llama_config());
    TestEngine engine;
    const auto windows = with_context(random_windows({40, 13}, 97), 0);
    const std::vector<std::size_t> items{0, 6};
    // Weights of 1 and 0: the first window alone, and of the second nothing.
    const PositionWeights first{std::vector<double>(40, 1.0), std::vector<double>(13, 0.0)};
    const auto weighed = measure_hessians(model, engine, windows, items, &first);
    const auto alone = measure_hessians(model, engine, std::span(windows).first(1), items);
    for (std::size_t i = 0; i < weighed.size(); ++i) EXPECT_TRUE(same(weighed[i].sums, alone[i].sums));
    // Groups of windows find their own weights.
    engine.limits = {.state_bytes = 1, .chunk_rows = 1};
    EXPECT_TRUE(same(measure_hessians(model, engine, windows, items, &first)[0].sums, weighed[0].sums));
    const PositionWeights wrong{std::vector<double>(40, 1.0), std::vector<double>(12, 0.0)};
    EXPECT_THROW(measure_hessians(model, engine, windows, items, &wrong), InvalidArgument);
}

TEST(Hessians, ExpertsPositionsAndNoWindowsAreRefused) {
    TestEngine engine;
    const Model experts =
        load_model(open_model_files(std::filesystem::path(ASSAY_TEST_DATA) / "tiny" / "mixtral"));
    const auto windows = with_context(random_windows({20}, experts.config().vocabulary), 0);
    const PositionWeights weights{std::vector<double>(20, 1.0)};
    EXPECT_THROW(measure_hessians(experts, engine, windows, block_items(experts), &weights), InvalidArgument);
    EXPECT_THROW(measure_hessians(experts, engine, {}, block_items(experts)), InvalidArgument);
}

}  // namespace
}  // namespace assay
