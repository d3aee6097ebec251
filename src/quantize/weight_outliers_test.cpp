// Moments, outliers and histograms of matrices whose answers are known.
#include "quantize/weight_outliers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "quantize/interventions.h"
#include "quantize/weight_histogram.h"

namespace assay {
namespace {

// Gaussian numbers of standard deviation near 1.
Matrix<float> gaussian(std::int64_t rows, std::int64_t cols, std::uint64_t seed = 1) {
    Matrix<float> norms(rows, cols);
    std::fill(norms.values().begin(), norms.values().end(), 1.0f);
    return gaussian_twin(norms.view(), seed);
}

WeightMoments moments_of(const Matrix<float>& w, int threads = 1) {
    ThreadPool pool(threads);
    const RowSource source = rows_of(w.view());
    return scan_rows(source, pool, MomentSums(first_row_mean(source))).moments();
}

WeightOutliers outliers_of(const Matrix<float>& w, int threads = 1) {
    ThreadPool pool(threads);
    return scan_rows(rows_of(w.view()), pool, OutlierSums(moments_of(w), w.cols())).outliers();
}

// The formulas, element by element.
struct Naive {
    explicit Naive(const Matrix<float>& w) {
        const auto n = static_cast<double>(w.values().size());
        for (float x : w.values()) mean += static_cast<double>(x) / n;
        for (float x : w.values()) variance += std::pow(static_cast<double>(x) - mean, 2) / n;
        for (float x : w.values())
            kurtosis += std::pow(static_cast<double>(x) - mean, 4) / n / variance / variance;
    }
    std::int64_t beyond(const Matrix<float>& w, double k) const {
        return std::count_if(w.values().begin(), w.values().end(), [&](float x) {
            return std::abs(static_cast<double>(x) - mean) > k * std::sqrt(variance);
        });
    }
    double mean = 0, variance = 0, kurtosis = 0;
};

TEST(WeightMoments, AreThoseOfTheFormulas) {
    for (const auto& [rows, cols] :
         {std::pair<std::int64_t, std::int64_t>{1, 1}, {3, 17}, {40, 255}, {100, 700}}) {
        Matrix<float> w = gaussian(rows, cols, 3);
        for (float& x : w.values()) x = 0.01f * x + 5;  // far from 0: the shift keeps the digits
        const WeightMoments m = moments_of(w);
        const Naive naive(w);
        EXPECT_EQ(m.count, rows * cols);
        EXPECT_NEAR(m.mean, naive.mean, 1e-12);
        EXPECT_NEAR(m.std, std::sqrt(naive.variance), 1e-12);
        EXPECT_TRUE(rows * cols == 1 ||
                    std::abs(m.kurtosis.value() - naive.kurtosis) < 1e-7 * naive.kurtosis);
        EXPECT_NEAR(m.squares,
                    std::inner_product(w.values().begin(), w.values().end(), w.values().begin(), 0.0),
                    1e-4 * m.squares);
        EXPECT_EQ(m.min, *std::min_element(w.values().begin(), w.values().end()));
        EXPECT_EQ(m.max, *std::max_element(w.values().begin(), w.values().end()));
    }
}

TEST(WeightMoments, AGaussianHasKurtosisThreeAndAConstantNone) {
    EXPECT_NEAR(moments_of(gaussian(100, 1000)).kurtosis.value(), 3, 0.05);
    Matrix<float> constant(300, 77);
    for (float value : {0.0f, 0.1f, -3e-20f, 12345.678f}) {
        std::fill(constant.values().begin(), constant.values().end(), value);
        const WeightMoments m = moments_of(constant);
        EXPECT_EQ(m.std, 0);
        EXPECT_EQ(m.mean, static_cast<double>(value));
        EXPECT_FALSE(m.kurtosis);
    }
    EXPECT_EQ(moments_of(Matrix<float>(0, 4)).count, 0);
}

TEST(WeightMoments, ARowUnlikeTheOthersCostsNoDigits) {
    Matrix<float> w = gaussian(500, 100);
    for (float& x : w.row(0)) x = 1e4f;  // the shift is its mean
    const Naive naive(w);
    const WeightMoments m = moments_of(w);
    EXPECT_NEAR(m.std, std::sqrt(naive.variance), 1e-9 * m.std);
    EXPECT_NEAR(m.kurtosis.value(), naive.kurtosis, 1e-9 * naive.kurtosis);
}

TEST(WeightOutliers, AreCountedAsTheFormulaSays) {
    Matrix<float> w = gaussian(120, 333, 5);
    for (std::size_t i = 0; i < w.values().size(); i += 1001) w.values()[i] *= 9;
    const Naive naive(w);
    const WeightOutliers found = outliers_of(w);
    for (std::size_t k = 0; k < kOutlierSigmas.size(); ++k)
        EXPECT_EQ(found.counts[k], naive.beyond(w, kOutlierSigmas[k])) << kOutlierSigmas[k];
    double low = 0, high = 0, low_4s = 0, high_4s = 0, energy = 0, magnitude = 0;
    for (float x : w.values()) {
        const double away = std::abs(static_cast<double>(x) - naive.mean) / std::sqrt(naive.variance);
        if (away <= 3) {
            low = std::min<double>(low, x);
            high = std::max<double>(high, x);
        } else {
            energy += std::pow(static_cast<double>(x) - naive.mean, 2);
            magnitude = std::max<double>(magnitude, std::abs(x));
        }
        if (away <= 4) {
            low_4s = std::min<double>(low_4s, x);
            high_4s = std::max<double>(high_4s, x);
        }
    }
    EXPECT_EQ(found.range_without_3s, high - low);
    EXPECT_EQ(found.range_without_4s, high_4s - low_4s);
    EXPECT_EQ(static_cast<double>(found.magnitude), magnitude);
    EXPECT_NEAR(found.energy, energy, 1e-9 * energy);
}

TEST(WeightOutliers, OnePlantedWeightIsFoundWhereItIs) {
    Matrix<float> w = gaussian(100, 200);
    w.view()(37, 111) = -40;
    const WeightOutliers found = outliers_of(w);
    EXPECT_EQ(found.counts[2], 1);
    EXPECT_EQ(found.magnitude, 40);
    EXPECT_GT(range_ratio(found.range, found.range_without_4s).value(), 5);
    EXPECT_EQ(found.rows.front().index, 37);
    EXPECT_EQ(found.columns.front().index, 111);
    EXPECT_EQ(found.columns.front().max_abs, 40);
    EXPECT_GT(found.columns.front().energy / found.energy, 0.7);
}

TEST(WeightOutliers, AHotInputChannelIsFound) {
    Matrix<float> w = gaussian(400, 300);
    for (std::int64_t r = 0; r < 400; ++r) w.view()(r, 42) *= 12;
    const WeightOutliers found = outliers_of(w);
    EXPECT_EQ(found.columns.front().index, 42);
    EXPECT_GT(found.columns.front().count, 250);
    EXPECT_GT(found.columns.front().energy / found.energy, 0.95);
    EXPECT_LT(found.rows.front().energy / found.energy, 0.05);
    EXPECT_EQ(found.columns.size(), kWorstParts);
}

TEST(WeightOutliers, AConstantHasNoneAndNoRatio) {
    Matrix<float> w(20, 30);
    std::fill(w.values().begin(), w.values().end(), 0.3f);
    const WeightOutliers found = outliers_of(w);
    EXPECT_EQ(found.counts[0], 0);
    EXPECT_EQ(found.range, 0);
    EXPECT_TRUE(found.rows.empty());
    EXPECT_FALSE(range_ratio(found.range, found.range_without_3s));
    EXPECT_FALSE(quantization_waste(found.range, found.range_without_3s));
}

TEST(WeightOutliers, WithoutOutliersNothingIsWasted) {
    Matrix<float> w(16, 16);
    for (std::size_t i = 0; i < w.values().size(); ++i) w.values()[i] = i % 2 == 0 ? 1.0f : -1.0f;
    const WeightOutliers found = outliers_of(w);
    EXPECT_EQ(found.counts[0], 0);
    EXPECT_EQ(found.magnitude, 0);
    EXPECT_EQ(range_ratio(found.range, found.range_without_3s), 1.0);
    EXPECT_EQ(quantization_waste(found.range, found.range_without_3s), 0.0);
}

TEST(WeightOutliers, OneValueAmongEqualOnesWastesTheWholeRange) {
    Matrix<float> w(50, 40);
    w.view()(7, 7) = 1;
    const WeightOutliers found = outliers_of(w);
    EXPECT_EQ(found.counts[2], 1);
    EXPECT_FALSE(range_ratio(found.range, found.range_without_3s));  // infinite
    EXPECT_EQ(quantization_waste(found.range, found.range_without_3s), 1.0);
}

TEST(WeightOutliers, ABandHoldsExactlyTheFloatsOfTheFormula) {
    Matrix<float> w = gaussian(50, 50, 8);
    for (double scale : {1.0, 1e-30, 3e7}) {
        for (float& x : w.values()) x *= static_cast<float>(scale);
        const WeightMoments m = moments_of(w);
        for (double k : kOutlierSigmas) {
            const SigmaBand band = sigma_band(m, k);
            const auto inside = [&](float x) {
                return std::abs(static_cast<double>(x) - m.mean) <= k * m.std;
            };
            EXPECT_TRUE(inside(band.low) && inside(band.high));
            EXPECT_FALSE(inside(std::nextafter(band.low, -INFINITY)) ||
                         inside(std::nextafter(band.high, INFINITY)));
        }
    }
    EXPECT_THROW(sigma_band({}, 0), InvalidArgument);
}

TEST(WeightOutliers, ThreadsChangeNoBit) {
    const Matrix<float> w = gaussian(900, 301, 6);
    const WeightMoments a = moments_of(w, 1), b = moments_of(w, 3);
    EXPECT_EQ(a.mean, b.mean);
    EXPECT_EQ(a.kurtosis, b.kurtosis);
    const WeightOutliers c = outliers_of(w, 1), d = outliers_of(w, 3);
    EXPECT_EQ(c.energy, d.energy);
    for (std::size_t i = 0; i < c.columns.size(); ++i) EXPECT_EQ(c.columns[i].energy, d.columns[i].energy);
}

std::optional<WeightOutliers> from_one_look(const Matrix<float>& w, int threads = 2) {
    ThreadPool pool(threads);
    const RowSource source = rows_of(w.view());
    return scan_rows(source, pool, OutlierCandidates(likely_inside(source), w.cols()))
        .outliers(moments_of(w), pool);
}

void expect_equal(const std::vector<OutlierPart>& a, const std::vector<OutlierPart>& b) {
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
        EXPECT_EQ(a[i].index, b[i].index);
        EXPECT_EQ(a[i].count, b[i].count);
        EXPECT_EQ(a[i].max_abs, b[i].max_abs);
        EXPECT_EQ(a[i].energy, b[i].energy);
    }
}

void expect_equal(const WeightOutliers& a, const WeightOutliers& b) {
    EXPECT_EQ(a.counts, b.counts);
    EXPECT_EQ(a.magnitude, b.magnitude);
    EXPECT_EQ(a.range, b.range);
    EXPECT_EQ(a.range_without_3s, b.range_without_3s);
    EXPECT_EQ(a.range_without_4s, b.range_without_4s);
    EXPECT_EQ(a.energy, b.energy);
    expect_equal(a.rows, b.rows);
    expect_equal(a.columns, b.columns);
}

TEST(OutlierCandidates, TellWhatASecondLookTells) {
    for (const auto& [rows, cols] :
         {std::pair<std::int64_t, std::int64_t>{900, 301}, {64, 64}, {3, 5000}, {5000, 577}}) {
        Matrix<float> w = gaussian(rows, cols, 7);
        for (std::size_t i = 11; i < w.values().size(); i += 997) w.values()[i] *= 9;
        const auto found = from_one_look(w);
        ASSERT_TRUE(found) << rows << " x " << cols;
        expect_equal(*found, outliers_of(w));
        expect_equal(*found, *from_one_look(w, 1));
    }
    expect_equal(from_one_look(Matrix<float>(0, 4)).value(), outliers_of(Matrix<float>(0, 4)));
    Matrix<float> constant(30, 20);
    std::fill(constant.values().begin(), constant.values().end(), 0.5f);
    expect_equal(from_one_look(constant).value(), outliers_of(constant));
}

TEST(OutlierCandidates, TellNothingWhereTheGuessDoesNotServe) {
    Matrix<float> w(640, 8200);
    const auto fill = [&](float looked_at, float other) {
        for (std::int64_t r = 0; r < w.rows(); ++r) {
            const float size = r % 64 == 0 ? looked_at : other;
            for (std::size_t c = 0; c < w.row(r).size(); ++c) w.row(r)[c] = c % 2 == 0 ? size : -size;
        }
    };
    fill(3, 1);  // the band of 3 std is narrower
    EXPECT_FALSE(from_one_look(w));
    fill(0.01f, 1);  // more weights outside of it than are kept
    EXPECT_FALSE(from_one_look(w));
}

TEST(WeightHistogram, HasAllWeightsInTheirBins) {
    Matrix<float> w = gaussian(64, 501, 2);
    w.view()(3, 3) = 100;
    w.view()(4, 3) = -100;
    w.view()(4, 4) = -90;
    ThreadPool pool(2);
    const WeightHistogram h = scan_rows(rows_of(w.view()), pool, HistogramSums(moments_of(w))).histogram();
    ASSERT_EQ(std::ssize(h.counts), kHistogramBins);
    EXPECT_EQ(h.below, 2);
    EXPECT_EQ(h.above, 1);
    EXPECT_EQ(std::accumulate(h.counts.begin(), h.counts.end(), std::int64_t{3}), 64 * 501);
    // Bins reach from mean - 6 std to mean + 6 std: the middle third holds what lies within 2 std.
    const Naive naive(w);
    const std::int64_t within = 64 * 501 - naive.beyond(w, 2);
    EXPECT_NEAR(
        static_cast<double>(std::accumulate(h.counts.begin() + 32, h.counts.begin() + 64, std::int64_t{0})),
        static_cast<double>(within), 3);
    EXPECT_NEAR(h.high - h.low, 12 * std::sqrt(naive.variance), 1e-9);
}

TEST(WeightHistogram, AConstantHasNone) {
    Matrix<float> w(3, 4);
    ThreadPool pool(1);
    EXPECT_TRUE(scan_rows(rows_of(w.view()), pool, HistogramSums(moments_of(w))).histogram().counts.empty());
}

}  // namespace
}  // namespace assay
