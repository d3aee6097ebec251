#include "stats/moments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"
#include "base/rng.h"

namespace assay {
namespace {

std::vector<float> random_values(std::size_t n, double shift) {
    Rng rng(n);
    std::vector<float> values(n);
    for (float& v : values)
        v = static_cast<float>(shift + rng.uniform() + rng.uniform() + rng.uniform() - 1.5);
    return values;
}

// The formulas in long double, over the whole list at once.
Moments naive(std::span<const float> values) {
    long double sum = 0, squares = 0;
    for (const float x : values) sum += x;
    const long double mean = sum / values.size();
    Moments m{.count = static_cast<std::int64_t>(values.size()), .min = values[0], .max = values[0]};
    for (const float x : values) {
        squares += (x - mean) * (x - mean);
        m.min = std::min(m.min, x);
        m.max = std::max(m.max, x);
        m.max_abs = std::max(m.max_abs, std::abs(x));
    }
    m.mean = static_cast<double>(mean);
    m.std = static_cast<double>(std::sqrt(squares / values.size()));
    return m;
}

TEST(Moments, AgreeWithTheFormulasOverAwkwardSizes) {
    ThreadPool pool(1);
    for (const std::size_t n : {1, 2, 31, 33, 255, 16384, 16385, 50000}) {
        for (const double shift : {0.0, 1000.0, -3.0}) {
            const std::vector<float> values = random_values(n, shift);
            const Moments m = moments(values, pool), expected = naive(values);
            EXPECT_EQ(m.count, expected.count);
            EXPECT_NEAR(m.mean, expected.mean, 1e-13 * (std::abs(expected.mean) + 1)) << n;
            EXPECT_NEAR(m.std, expected.std, 1e-12 * expected.std) << n << " " << shift;
            EXPECT_EQ(m.min, expected.min);
            EXPECT_EQ(m.max, expected.max);
            EXPECT_EQ(m.max_abs, expected.max_abs);
        }
    }
}

TEST(Moments, OfAConstantHaveNoSpreadAtAll) {
    ThreadPool pool(1);
    const std::vector<float> values(40000, 0.1f);
    const Moments m = moments(values, pool);
    EXPECT_EQ(m.mean, static_cast<double>(0.1f));
    EXPECT_EQ(m.std, 0);
}

TEST(Moments, OfNothingAreZero) {
    ThreadPool pool(1);
    const Moments m = moments({}, pool);
    EXPECT_EQ(m.count, 0);
    EXPECT_EQ(m.std, 0);
    EXPECT_EQ(outliers({}, m, 3, pool).count, 0);
}

TEST(Moments, AreTheSameForAnyNumberOfThreads) {
    ThreadPool one(1), five(5);
    const std::vector<float> values = random_values(300000, 0.5);
    const Moments a = moments(values, one), b = moments(values, five);
    EXPECT_EQ(a.mean, b.mean);
    EXPECT_EQ(a.std, b.std);
    EXPECT_EQ(outliers(values, a, 2, one).range_ratio, outliers(values, b, 2, five).range_ratio);
}

TEST(Moments, RefuseNonFiniteValuesWithTheirPlace) {
    ThreadPool pool(2);
    for (const float bad : {std::nanf(""), HUGE_VALF, -HUGE_VALF}) {
        std::vector<float> values = random_values(50000, 0);
        values[20001] = bad;
        EXPECT_THAT([&] { moments(values, pool); },
                    ::testing::ThrowsMessage<NumericError>(::testing::HasSubstr("element 20001 is ")));
    }
}

TEST(Outliers, AreCountedBeyondKSigma) {
    // 98 values of ±1 and the pair ±10: std = sqrt((98 + 200) / 100) = 1.726, so 3σ = 5.18 and 6σ = 10.4.
    std::vector<float> values;
    for (int i = 0; i < 98; ++i) values.push_back(i % 2 == 0 ? 1.0f : -1.0f);
    values.push_back(10), values.push_back(-10);
    ThreadPool pool(1);
    const Moments m = moments(values, pool);
    const Outliers three = outliers(values, m, 3, pool), six = outliers(values, m, 6, pool);
    EXPECT_EQ(three.count, 2);
    EXPECT_EQ(three.fraction, 0.02);
    EXPECT_EQ(three.range_ratio, 10.0);
    EXPECT_EQ(three.quantization_waste(), 0.9);
    EXPECT_EQ(six.count, 0);
    EXPECT_EQ(six.range_ratio, 1.0);
    EXPECT_EQ(six.quantization_waste(), 0);
}

TEST(Outliers, AgreeWithPlainCountingAcrossChunks) {
    std::vector<float> values = random_values(40003, 0.25);
    ThreadPool pool(1);
    const Moments m = moments(values, pool);
    std::int64_t count = 0;
    double low = HUGE_VAL, high = -HUGE_VAL;
    for (const float x : values) {
        const bool out = std::abs(x - m.mean) > 2 * m.std;
        count += out;
        if (!out) low = std::min<double>(low, x), high = std::max<double>(high, x);
    }
    const Outliers result = outliers(values, m, 2, pool);
    EXPECT_EQ(result.count, count);
    EXPECT_DOUBLE_EQ(result.range_ratio.value(), (static_cast<double>(m.max) - m.min) / (high - low));
}

TEST(Outliers, OfAConstantAreNone) {
    const std::vector<float> values(100, -3.25f);
    ThreadPool pool(1);
    const Outliers result = outliers(values, moments(values, pool), 3, pool);
    EXPECT_EQ(result.count, 0);
    EXPECT_EQ(result.range_ratio, 1.0);
}

TEST(Outliers, LeaveNoRatioWhereTheRestIsConstant) {
    std::vector<float> values(100, 0.0f);
    values[7] = 5;
    ThreadPool pool(1);
    const Outliers result = outliers(values, moments(values, pool), 3, pool);
    EXPECT_EQ(result.count, 1);
    EXPECT_FALSE(result.range_ratio.has_value());
    EXPECT_EQ(result.quantization_waste(), 1);
}

TEST(Outliers, RefuseTheMomentsOfOtherValues) {
    const std::vector<float> values(100, 1.0f);
    ThreadPool pool(1);
    EXPECT_THROW(outliers(values, Moments{.count = 99}, 3, pool), InvalidArgument);
}

TEST(Outliers, RefuseAThresholdThatIsNotPositive) {
    const std::vector<float> values(3, 1.0f);
    ThreadPool pool(1);
    const Moments m = moments(values, pool);
    EXPECT_THROW(outliers(values, m, 0, pool), InvalidArgument);
    EXPECT_THROW(outliers(values, m, std::nan(""), pool), InvalidArgument);
}

}  // namespace
}  // namespace assay
