// Fisher factors against sums over the gradients of a plain reverse pass.
#include "measure/fisher_factors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "base/error.h"
#include "measure/label_draws.h"
#include "model/model_files.h"
#include "model/reverse_pass.h"
#include "model/test_models.h"

namespace assay {
namespace {

// Every linear's gradients, and which rows of the chunk they are of (none: all).
class RecordingTap final : public GradientTap {
  public:
    explicit RecordingTap(compute::Backend& backend) : backend_(backend) {}
    void head(std::int64_t, const compute::Tensor&, const compute::Tensor&) override {}
    void embedding(const compute::Tensor&) override {}
    void linear(const LinearItem& item, std::span<const std::int64_t> rows, const compute::Tensor&,
                const compute::Tensor& g) override {
        Matrix<float> values(g.rows(), g.cols());
        backend_.download(g, values.view());
        gradients.insert_or_assign(&item, std::move(values));
        routed[&item] = !rows.empty();
    }

    std::map<const LinearItem*, Matrix<float>> gradients;
    std::map<const LinearItem*, bool> routed;

  private:
    compute::Backend& backend_;
};

bool same(const FisherFactor& a, const FisherFactor& b) {
    for (std::int64_t r = 0; r < a.output.size(); ++r) {
        for (std::int64_t c = 0; c <= r; ++c) {
            if (a.output(r, c) != b.output(r, c)) return false;
        }
    }
    return a.item == b.item && a.output.size() == b.output.size() && a.weights == b.weights;
}

class FisherFactorsTest : public ::testing::TestWithParam<const char*> {
  protected:
    FisherFactorsTest() {
        for (std::size_t i = 0; i < model_.items().size(); ++i) {
            if (model_.items()[i].role == LinearItem::Role::kBlock) items_.push_back(i);
        }
    }

    std::vector<FisherFactor> measure(int threads, std::int64_t state_bytes,
                                      std::span<const std::size_t> items) {
        TestEngine engine(threads);
        engine.limits.state_bytes = state_bytes;
        return measure_fisher_factors(model_, engine, windows_, items, kSeed);
    }

    static constexpr std::uint64_t kSeed = 4;
    static constexpr std::int64_t kRoom = std::int64_t{1} << 32;
    Model model_ = load_model(open_model_files(std::filesystem::path(ASSAY_TEST_DATA) / "tiny" / GetParam()));
    std::vector<EvaluationWindow> windows_ =
        with_context(random_windows({45, 20, 70}, model_.config().vocabulary), 0);
    std::vector<std::size_t> items_;
};

INSTANTIATE_TEST_SUITE_P(Tiny, FisherFactorsTest,
                         ::testing::Values("llama-bias-sharded", "gemma2", "mixtral", "qwen2-moe",
                                           "phi3-partial"),
                         [](const auto& info) {
                             std::string name = info.param;
                             std::erase(name, '-');
                             return name;
                         });

TEST_P(FisherFactorsTest, AreTheSumsOfOuterProductsOfEveryLinearsGradients) {
    TestEngine engine;
    const TokenChunk chunk = std::move(make_chunks(windows_, 4096).front());
    RecordingTap tap(*engine.backend);
    run_reverse_pass(model_, engine, chunk, label_uniforms(chunk, kSeed, 0), tap);
    const std::vector<FisherFactor> factors = measure(2, kRoom, items_);
    ASSERT_EQ(factors.size(), items_.size());
    for (const FisherFactor& factor : factors) {
        const LinearItem& item = model_.items()[factor.item];
        const Matrix<float>& g = tap.gradients.at(&item);
        Matrix<double> expected(item.out, item.out);
        std::vector<double> norms;
        for (std::int64_t t = 0; t < g.rows(); ++t) {
            double square = 0;
            for (const float v : g.row(t)) square += static_cast<double>(v) * static_cast<double>(v);
            norms.push_back(std::sqrt(square));
            for (std::int64_t r = 0; r < item.out && square > 0; ++r) {
                for (std::int64_t c = 0; c <= r; ++c)
                    expected.view()(r, c) +=
                        static_cast<double>(g.row(t)[r]) * static_cast<double>(g.row(t)[c]) / norms.back();
            }
        }
        double largest = 0;
        for (std::int64_t r = 0; r < item.out; ++r) largest = std::max(largest, expected.view()(r, r));
        for (std::int64_t r = 0; r < item.out; ++r) {
            for (std::int64_t c = 0; c <= r; ++c)
                ASSERT_NEAR(factor.output(r, c), expected.view()(r, c), 1e-5 * largest) << item.name;
        }
        if (tap.routed.at(&item) || g.rows() == 0) {
            EXPECT_TRUE(factor.weights.empty());
            continue;
        }
        std::vector<double> weights;
        for (const auto& window : factor.weights) weights.insert(weights.end(), window.begin(), window.end());
        ASSERT_EQ(factor.weights.size(), windows_.size());
        EXPECT_EQ(weights, norms) << item.name;
    }
}

TEST_P(FisherFactorsTest, ThreadsAndGroupsOfWindowsAndBlocksChangeNoBit) {
    const std::vector<FisherFactor> all = measure(1, kRoom, items_), parts = measure(3, 1, items_);
    const std::size_t last = items_.back();
    const std::vector<FisherFactor> own = measure(2, kRoom, std::span(&last, 1));
    ASSERT_EQ(all.size(), parts.size());
    for (std::size_t i = 0; i < all.size(); ++i) EXPECT_TRUE(same(all[i], parts[i]));
    ASSERT_EQ(own.size(), 1u);
    EXPECT_TRUE(same(own[0], all.back()));
}

TEST(FisherFactors, NeedWindowsAndLinearsOfBlocks) {
    const Model model = random_model(small_llama_config());
    TestEngine engine;
    const auto windows = with_context(random_windows({30}, 97), 0);
    const std::vector<std::size_t> linear{1}, head{model.items().size() - 1};
    EXPECT_THROW(measure_fisher_factors(model, engine, {}, linear, 1), InvalidArgument);
    EXPECT_THROW(measure_fisher_factors(model, engine, windows, {}, 1), InvalidArgument);
    EXPECT_THROW(measure_fisher_factors(model, engine, windows, head, 1), InvalidArgument);
    EXPECT_NO_THROW(measure_fisher_factors(model, engine, windows, linear, 1));
}

}  // namespace
}  // namespace assay
