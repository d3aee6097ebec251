// Ranks of inputs whose answer is known.
#include "measure/input_audits.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/rng.h"
#include "model/test_models.h"

namespace assay {
namespace {

// Σ x xᵀ of so many rows, each channel a copy of one of `sources` random numbers, scaled.
compute::SymmetricMatrix sums(std::int64_t channels, std::int64_t sources, std::int64_t rows) {
    Rng rng(3);
    compute::SymmetricMatrix h(channels);
    for (std::int64_t r = 0; r < rows; ++r) {
        std::vector<double> source, x;
        for (std::int64_t s = 0; s < sources; ++s) source.push_back(rng.uniform() - 0.5);
        for (std::int64_t c = 0; c < channels; ++c)
            x.push_back(source[static_cast<std::size_t>(c % sources)] * static_cast<double>(c + 1));
        for (std::int64_t i = 0; i < channels; ++i) {
            for (std::int64_t j = 0; j <= i; ++j)
                h(i, j) += x[static_cast<std::size_t>(i)] * x[static_cast<std::size_t>(j)];
        }
    }
    return h;
}

TEST(EffectiveRank, IsTheNumberOfIndependentChannelsWhateverTheirScales) {
    EXPECT_NEAR(effective_rank(sums(12, 1, 100)), 1, 1e-9);
    EXPECT_NEAR(effective_rank(sums(12, 3, 20000)), 3, 0.1);
    EXPECT_NEAR(effective_rank(sums(12, 12, 20000)), 12, 0.2);
}

TEST(EffectiveRank, IsBoundedByThePositionsAndLeavesDeadChannelsOut) {
    EXPECT_LE(effective_rank(sums(40, 40, 5)), 5 + 1e-9);
    compute::SymmetricMatrix h(5);
    EXPECT_EQ(effective_rank(h), 0);
    h(1, 1) = 2;
    EXPECT_EQ(effective_rank(h), 1);
}

TEST(InputSpans, AreThoseOfTheWholeModelsHessians) {
    const ModelConfig config = small_llama_config();
    const Model model = random_model(config);
    TestEngine test;
    const Engine engine = test;
    const auto windows = with_context(random_windows({30, 50}, config.vocabulary), 0);
    std::vector<std::size_t> items;
    for (std::size_t i = 0; i < model.items().size(); ++i) {
        if (model.items()[i].block >= 0) items.push_back(i);
    }
    const auto hessians = measure_hessians(model, engine, windows, items);
    const auto spans = measure_input_spans(model, engine, windows, items);
    ASSERT_EQ(spans.size(), hessians.size());
    for (std::size_t i = 0; i < spans.size(); ++i) {
        EXPECT_EQ(spans[i].input.items, hessians[i].input.items);
        EXPECT_EQ(spans[i].positions, 80);
        EXPECT_EQ(spans[i].effective_rank, effective_rank(hessians[i].sums));
        double sum = 0;
        for (double e : spans[i].energy) sum += e;
        EXPECT_NEAR(sum, 1, 1e-12);
    }
    EXPECT_THROW(measure_input_spans(model, engine, {}, items), InvalidArgument);
}

}  // namespace
}  // namespace assay
