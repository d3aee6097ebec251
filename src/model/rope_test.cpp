// Rotary frequencies against their formulas.
#include "model/rope.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace assay {
namespace {

TEST(Rope, FrequenciesAreAGeometricSeries) {
    for (const double theta : {10000.0, 500000.0}) {
        for (const std::int64_t head_dim : {2, 12, 64, 128}) {
            const auto frequencies = rope_frequencies({.theta = theta, .dimensions = head_dim});
            ASSERT_EQ(frequencies.size(), static_cast<std::size_t>(head_dim / 2));
            EXPECT_EQ(frequencies[0], 1.0f);
            const double ratio = std::exp(-2.0 / static_cast<double>(head_dim) * std::log(theta));
            double expected = 1;
            for (float f : frequencies) {
                EXPECT_NEAR(f, expected, 1e-7 * expected);
                expected *= ratio;
            }
        }
    }
}

TEST(Rope, LinearScalingDividesEveryFrequency) {
    const auto plain = rope_frequencies({.dimensions = 16});
    const auto scaled =
        rope_frequencies({.dimensions = 16, .scaling = RopeConfig::Scaling::kLinear, .factor = 4});
    for (std::size_t i = 0; i < plain.size(); ++i) EXPECT_FLOAT_EQ(scaled[i], plain[i] / 4);
}

// With wavelengths instead of frequencies: below 8192/4 kept, above 8192/1 eight times longer, between them
// the frequency is interpolated linearly in 8192/wavelength.
TEST(Rope, Llama3ScalingHasThreeBands) {
    const RopeConfig llama31{
        .theta = 500000, .dimensions = 128, .scaling = RopeConfig::Scaling::kLlama3, .factor = 8};
    const auto plain = rope_frequencies({.theta = 500000, .dimensions = 128}),
               scaled = rope_frequencies(llama31);
    int kept = 0, divided = 0, between = 0;
    for (std::size_t i = 0; i < plain.size(); ++i) {
        const double wavelength = 2 * std::numbers::pi / plain[i];
        if (wavelength < 2048) {
            ++kept;
            EXPECT_EQ(scaled[i], plain[i]);
        } else if (wavelength > 8192) {
            ++divided;
            EXPECT_FLOAT_EQ(scaled[i], plain[i] / 8);
        } else {
            ++between;
            const double share = (8192 / wavelength - 1) / 3;
            EXPECT_NEAR(scaled[i], plain[i] * (share + (1 - share) / 8), 1e-6 * plain[i]);
        }
    }
    EXPECT_EQ(kept, 29);
    EXPECT_EQ(between, 6);
    EXPECT_EQ(divided, 29);
}

TEST(Rope, DivisorsDivideEachFrequencyByItsOwn) {
    const auto plain = rope_frequencies({.dimensions = 8});
    const auto divided = rope_frequencies({.dimensions = 8, .divisors = {1, 2, 4, 8}});
    for (std::size_t i = 0; i < plain.size(); ++i)
        EXPECT_FLOAT_EQ(divided[i], plain[i] / static_cast<float>(1 << i));
}

TEST(Rope, TablesHoldCosineAndSineOfPositionTimesFrequency) {
    const RopeConfig rope{.theta = 10000, .dimensions = 12};
    const auto frequencies = rope_frequencies(rope);
    const RopeTables tables = rope_tables(rope, 700);
    ASSERT_EQ(tables.cosines.rows(), 700);
    ASSERT_EQ(tables.sines.cols(), 6);
    for (std::int64_t t = 0; t < 700; ++t) {
        for (std::size_t i = 0; i < 6; ++i) {
            const float angle = static_cast<float>(t) * frequencies[i];
            EXPECT_NEAR(tables.cosines.row(t)[i], std::cos(static_cast<double>(angle)), 6e-8);
            EXPECT_NEAR(tables.sines.row(t)[i], std::sin(static_cast<double>(angle)), 6e-8);
        }
    }
    for (float c : tables.cosines.row(0)) EXPECT_EQ(c, 1.0f);
    for (float s : tables.sines.row(0)) EXPECT_EQ(s, 0.0f);
}

// Frequencies and the factor of transformers 5.23, ROPE_INIT_FUNCTIONS["yarn"], for theta 1e6, head dimension
// 16, factor 4, 32768 original positions.
TEST(Rope, YarnAgreesWithTransformers) {
    const RopeConfig yarn{.theta = 1e6,
                          .dimensions = 16,
                          .scaling = RopeConfig::Scaling::kYarn,
                          .factor = 4,
                          .original_max_positions = 32768};
    const std::vector<float> expected{1.0f,
                                      0.177827939f,
                                      0.0316227786f,
                                      0.00421755994f,
                                      0.000500000024f,
                                      4.44569851e-05f,
                                      7.90569356e-06f,
                                      1.40585337e-06f};
    const auto frequencies = rope_frequencies(yarn);
    for (std::size_t i = 0; i < expected.size(); ++i)
        EXPECT_NEAR(frequencies[i], expected[i], 2e-7 * expected[i]);
}

TEST(Rope, LongropeHasOtherDivisorsForLongWindowsAndScalesTheTables) {
    const RopeConfig rope{.dimensions = 4,
                          .scaling = RopeConfig::Scaling::kLongrope,
                          .original_max_positions = 10,
                          .attention_factor = 1.5,
                          .divisors = {1, 2},
                          .long_divisors = {3, 4}};
    EXPECT_EQ(rope_variants(rope, 10).size(), 1u);
    const auto variants = rope_variants(rope, 25);
    ASSERT_EQ(variants.size(), 2u);
    EXPECT_EQ(variants[0].max_positions, 10);
    EXPECT_EQ(variants[1].max_positions, 25);
    EXPECT_FLOAT_EQ(rope_frequencies(variants[0].rope)[1], 0.01f / 2);
    EXPECT_FLOAT_EQ(rope_frequencies(variants[1].rope)[1], 0.01f / 4);
    EXPECT_EQ(rope_tables(variants[0].rope, 1).cosines.row(0)[0], 1.5f);
}

}  // namespace
}  // namespace assay
