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
            const auto frequencies = rope_frequencies({.theta = theta}, head_dim);
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
    const auto plain = rope_frequencies({}, 16);
    const auto scaled = rope_frequencies({.scaling = RopeConfig::Scaling::kLinear, .factor = 4}, 16);
    for (std::size_t i = 0; i < plain.size(); ++i) EXPECT_FLOAT_EQ(scaled[i], plain[i] / 4);
}

// With wavelengths instead of frequencies: below 8192/4 kept, above 8192/1 eight times longer, between them
// the frequency is interpolated linearly in 8192/wavelength.
TEST(Rope, Llama3ScalingHasThreeBands) {
    const RopeConfig llama31{500000, RopeConfig::Scaling::kLlama3, 8, 1, 4, 8192, {}};
    const auto plain = rope_frequencies({.theta = 500000}, 128), scaled = rope_frequencies(llama31, 128);
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
    const auto plain = rope_frequencies({}, 8);
    const auto divided = rope_frequencies({.divisors = {1, 2, 4, 8}}, 8);
    for (std::size_t i = 0; i < plain.size(); ++i)
        EXPECT_FLOAT_EQ(divided[i], plain[i] / static_cast<float>(1 << i));
}

TEST(Rope, TablesHoldCosineAndSineOfPositionTimesFrequency) {
    const RopeConfig rope{.theta = 10000};
    const auto frequencies = rope_frequencies(rope, 12);
    const RopeTables tables = rope_tables(rope, 12, 700);
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

}  // namespace
}  // namespace assay
