// Synthetic tensors with known answers: what is planted is found, a clean one raises nothing.
#include "measure/activation_result.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/rng.h"
#include "compute/testing.h"
#include "model/test_models.h"

namespace assay {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::int64_t kChannels = 96, kRows = 64, kWindows = 5;

double gaussian(Rng& rng) {
    return std::sqrt(-2 * std::log(1 - rng.uniform())) * std::cos(2 * M_PI * rng.uniform());
}

// Windows of Gaussian numbers, changed by `plant`, as a tap would add them.
TensorActivations gathered(const std::function<void(std::int64_t window, Matrix<float>& x)>& plant) {
    const auto backend = compute::make_reference_backend();
    TensorActivations tensor(kChannels);
    Rng rng(11);
    for (std::int64_t w = 0; w < kWindows; ++w) {
        Matrix<float> x(kRows, kChannels);
        for (float& v : x.values()) v = static_cast<float>(gaussian(rng));
        plant(w, x);
        const auto sums = backend->activation_sums(compute::Batch({kRows}), compute::to_device(*backend, x));
        for (const std::int64_t row : tensor.add(sums[0])) {
            if (row == 0) ++tensor.massive_first_tokens;
            tensor.keep(
                {.window = w, .position = row, .value = sums[0].row_max[static_cast<std::size_t>(row)]});
        }
    }
    return tensor;
}

ActivationSide side_of(const std::function<void(std::int64_t window, Matrix<float>& x)>& plant) {
    return activation_side(gathered(plant));
}

TEST(ActivationSide, OfGaussianNumbersRaisesNoAlert) {
    const ActivationSide side = side_of([](std::int64_t, Matrix<float>&) {});
    EXPECT_THAT(side.alerts, IsEmpty());
    EXPECT_THAT(side.outliers, IsEmpty());
    EXPECT_THAT(side.massive, IsEmpty());
    EXPECT_EQ(side.rows, kRows * kWindows);
    EXPECT_EQ(side.windows, kWindows);
    EXPECT_EQ(side.outlier_channels + side.persistent_channels + side.massive_tokens, 0);
    EXPECT_NEAR(side.std, 1, 0.02);
    EXPECT_NEAR(side.kurtosis.value(), 3, 0.15);
    EXPECT_NEAR(side.mean_abs, std::sqrt(2 / M_PI), 0.02);
}

TEST(ActivationSide, OneHotChannelIsPersistent) {
    const ActivationSide side = side_of([](std::int64_t, Matrix<float>& x) {
        for (std::int64_t r = 0; r < kRows; ++r) x.view()(r, 42) *= 20;
    });
    EXPECT_THAT(side.alerts, ElementsAre("persistent_channels"));
    EXPECT_EQ(side.outlier_channels, 1);
    EXPECT_EQ(side.persistent_channels, 1);
    ASSERT_EQ(side.outliers.size(), 1u);
    EXPECT_EQ(side.outliers[0].channel, 42);
    EXPECT_EQ(side.outliers[0].windows, kWindows);
    EXPECT_EQ(side.outliers[0].token_windows, 0);
    EXPECT_EQ(side.outliers[0].max, side.max);
    EXPECT_NEAR(side.outliers[0].energy_share, 400.0 / (400 + 95), 0.05);
    EXPECT_EQ(side.outliers[0].energy_share, side.outlier_energy_share);
    EXPECT_GT(side.kurtosis.value(), 30);
}

TEST(ActivationSide, MassiveFirstTokensAreNoPersistentChannel) {
    const ActivationSide side = side_of([](std::int64_t, Matrix<float>& x) { x.view()(0, 7) = -1000; });
    EXPECT_THAT(side.alerts, ElementsAre("max_mean_ratio", "massive_tokens"));
    EXPECT_EQ(side.massive_tokens, kWindows);
    EXPECT_EQ(side.massive_first_tokens, kWindows);
    EXPECT_EQ(side.massive_windows, kWindows);
    EXPECT_EQ(side.persistent_channels, 1);  // an outlier in every window, but each time one token's
    EXPECT_EQ(side.outliers.at(0).token_windows, kWindows);
    EXPECT_EQ(side.massive.size(), 5u);
    EXPECT_NEAR(side.ratio.value(), 1000 / side.mean_abs, 1e-9);
}

TEST(ActivationSide, OneMassiveTokenHasItsWindowAndPosition) {
    const ActivationSide side = side_of([](std::int64_t w, Matrix<float>& x) {
        if (w == 3) x.view()(29, 7) = 400;
    });
    EXPECT_THAT(side.alerts, ElementsAre("max_mean_ratio", "massive_tokens"));
    EXPECT_EQ(side.massive_first_tokens, 0);
    ASSERT_EQ(side.massive.size(), 1u);
    EXPECT_EQ(side.massive[0].window, 3);
    EXPECT_EQ(side.massive[0].position, 29);
    EXPECT_EQ(side.persistent_channels, 0);
    EXPECT_EQ(side.outliers.at(0).windows, 1);
}

TEST(ActivationSide, F16OverflowAndWhatComesCloseAreTold) {
    const auto scaled = [](double to) {
        return side_of([to](std::int64_t w, Matrix<float>& x) {
            for (float& v : x.values()) v *= 3000;
            if (w == 0) x.view()(5, 5) = static_cast<float>(to);
        });
    };
    EXPECT_THAT(scaled(65504.0 * 1.01).alerts, ElementsAre("f16_overflow"));
    EXPECT_THAT(scaled(65504).alerts, ElementsAre("f16_close"));
    EXPECT_NEAR(scaled(32752).f16_headroom.value(), 2, 1e-12);
    EXPECT_THAT(scaled(16000).alerts, IsEmpty());
}

TEST(ActivationSide, OfZerosOrNothingHasNoRatios) {
    const ActivationSide zeros = side_of([](std::int64_t, Matrix<float>& x) {
        for (float& v : x.values()) v = 0;
    });
    EXPECT_EQ(zeros.ratio, std::nullopt);
    EXPECT_EQ(zeros.f16_headroom, std::nullopt);
    EXPECT_EQ(zeros.kurtosis, std::nullopt);
    EXPECT_EQ(zeros.outlier_energy_share, 0);
    EXPECT_THAT(zeros.alerts, IsEmpty());
    const ActivationSide nothing = activation_side(TensorActivations(8));
    EXPECT_EQ(nothing.rows, 0);
    EXPECT_EQ(nothing.channels, 8);
    EXPECT_THAT(nothing.alerts, IsEmpty());
}

TEST(ActivationSide, MapsAreBoundedAndKeepEachPeak) {
    TensorActivations tensor(1000);
    compute::ActivationSums sums{
        .channel_max = std::vector<float>(1000, 1), .channel_energy = {}, .row_max = {9}};
    sums.channel_energy.assign(1000, 1.0);
    sums.channel_max[999] = 9;
    sums.magnitudes = 1008;
    tensor.add(sums);
    const ActivationSide side = activation_side(tensor);
    ASSERT_EQ(side.map.size(), 63u);  // runs of 16
    EXPECT_EQ(side.map.back(), 9);
    EXPECT_EQ(side.map.front(), 1);
}

TEST(TensorActivations, KeepTheLargestTokensAndTheFirstOnTies) {
    TensorActivations tensor(1);
    for (std::int64_t i = 0; i < 20; ++i)
        tensor.keep({.window = i, .value = i % 2 == 0 ? -5.0 : static_cast<double>(i)});
    ASSERT_EQ(tensor.largest.size(), kKeptTokens);
    EXPECT_EQ(tensor.largest.front().window, 19);
    EXPECT_EQ(tensor.largest.back().window, 0);  // the first of those of size 5
    EXPECT_FALSE(tensor.is_large(5));
    EXPECT_TRUE(tensor.is_large(5.5));
}

TEST(TensorActivations, ReadBackFromNumbersAndRefuseOthers) {
    const TensorActivations tensor = gathered([](std::int64_t w, Matrix<float>& x) {
        if (w == 3) x.view()(29, 7) = 400;
    });
    std::vector<double> numbers;
    append_numbers(tensor, numbers);
    TensorActivations read(kChannels), other(kChannels + 1);
    NumberReader reader(numbers), again(numbers);
    read_numbers(reader, read);
    EXPECT_TRUE(reader.at_end());
    EXPECT_EQ(read, tensor);
    EXPECT_THROW(read_numbers(again, other), FormatError);
}

TEST(ActivationsResult, SaysWhichLinearsShareAnInputAndMapsItOnce) {
    const Model model = random_model(small_llama_config());
    TestEngine engine;
    const auto windows = with_context(random_windows({40, 30}, 97), 0);
    const std::vector<std::size_t> items{0, 1, 3};
    const ActivationsResult result =
        activations_result(model, measure_activations(model, engine, windows, items), windows);
    ASSERT_EQ(result.linears.size(), 3u);
    EXPECT_EQ(result.tokens, 70);
    EXPECT_EQ(result.windows, 2);
    EXPECT_EQ(result.linears[0].shares_input_with, std::nullopt);
    EXPECT_EQ(result.linears[1].shares_input_with, "model.layers.0.self_attn.q_proj");
    EXPECT_EQ(result.linears[1].input->max, result.linears[0].input->max);
    EXPECT_EQ(result.linears[0].input->map.size(), 48u);
    EXPECT_THAT(result.linears[1].input->map, IsEmpty());
    EXPECT_EQ(result.linears[1].output.map.size(), 24u);
    EXPECT_EQ(result.linears[2].projection, "o_proj");
}

TEST(ActivationsResult, OfAnEmbeddingHasNoInputAndOfATiedOneBothUses) {
    for (const bool tied : {false, true}) {
        ModelConfig config = small_llama_config();
        config.tied_head = tied;
        const Model model = random_model(config);
        TestEngine engine;
        const auto windows = with_context(random_windows({40, 30}, 97), 0);
        std::vector<std::size_t> items{model.items().size() - 1};
        if (!tied) items.insert(items.begin(), items.front() - 1);
        const ActivationsResult result =
            activations_result(model, measure_activations(model, engine, windows, items), windows);
        ASSERT_EQ(result.linears.size(), items.size());
        const ActivationsLinear &embedding = result.linears.front(), &head = result.linears.back();
        EXPECT_EQ(embedding.name, "model.embed_tokens");
        EXPECT_EQ(embedding.input.has_value(), tied);
        EXPECT_EQ(embedding.embedding.has_value(), tied);
        EXPECT_EQ((tied ? *embedding.embedding : embedding.output).channels, 48);
        EXPECT_EQ(head.name, tied ? "model.embed_tokens" : "lm_head");
        EXPECT_EQ(head.block, -1);
        EXPECT_EQ(head.input.value().channels, 48);
        EXPECT_EQ(head.output.channels, 97);
        for (const ActivationSide* side : {&*head.input, &head.output}) EXPECT_EQ(side->rows, 70);
        EXPECT_EQ(head.output.map.size(), 49u);  // runs of 2
    }
}

}  // namespace
}  // namespace assay
