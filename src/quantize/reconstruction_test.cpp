#include "quantize/reconstruction.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/rng.h"

namespace assay {
namespace {

Matrix<float> random_matrix(std::int64_t rows, std::int64_t cols, std::uint64_t seed) {
    Matrix<float> m(rows, cols);
    Rng rng(seed);
    for (float& v : m.values()) v = static_cast<float>(rng.uniform() * 2 - 1);
    return m;
}

TEST(ReconstructionError, FollowsTheFormulas) {
    Matrix<float> w(1, 2), dequantized(1, 2);
    w.row(0)[0] = 3, w.row(0)[1] = 4;
    dequantized.row(0)[0] = 3, dequantized.row(0)[1] = 4.5f;
    ThreadPool pool(1);
    const ReconstructionError e = reconstruction_error(w.view(), dequantized.view(), pool);
    EXPECT_EQ(e.frobenius, 0.5);
    EXPECT_EQ(e.relative, 0.1);
    EXPECT_EQ(e.max_abs, 0.5);
    EXPECT_EQ(e.mean_abs, 0.25);
    EXPECT_NEAR(e.sqnr_db.value(), 20.0, 1e-12);
}

TEST(ReconstructionError, AgreesWithPlainSumsOverAwkwardSizes) {
    ThreadPool pool(1);
    for (const std::int64_t rows : {1, 3, 700}) {
        for (const std::int64_t cols : {1, 31, 33, 64, 255}) {
            const Matrix<float> w = random_matrix(rows, cols, 1), other = random_matrix(rows, cols, 2);
            double error2 = 0, weight2 = 0, absolute = 0, largest = 0;
            for (std::size_t i = 0; i < w.values().size(); ++i) {
                const double error = w.values()[i] - other.values()[i], x = w.values()[i];
                error2 += error * error, weight2 += x * x, absolute += std::abs(error);
                largest = std::max(largest, std::abs(error));
            }
            const ReconstructionError e = reconstruction_error(w.view(), other.view(), pool);
            EXPECT_NEAR(e.frobenius, std::sqrt(error2), 1e-12 * e.frobenius);
            EXPECT_NEAR(e.relative, std::sqrt(error2 / weight2), 1e-12 * e.relative);
            EXPECT_NEAR(e.mean_abs, absolute / static_cast<double>(rows * cols), 1e-12 * e.mean_abs);
            EXPECT_EQ(e.max_abs, largest);
            EXPECT_NEAR(e.sqnr_db.value(), -20 * std::log10(e.relative), 1e-9);
        }
    }
}

TEST(ReconstructionError, IsZeroWithoutSqnrForEqualMatrices) {
    const Matrix<float> w = random_matrix(5, 33, 3);
    ThreadPool pool(1);
    const ReconstructionError e = reconstruction_error(w.view(), w.view(), pool);
    EXPECT_EQ(e.frobenius, 0);
    EXPECT_EQ(e.relative, 0);
    EXPECT_EQ(e.max_abs, 0);
    EXPECT_FALSE(e.sqnr_db.has_value());
}

TEST(ReconstructionError, IsRelativelyInfiniteForZeroWeights) {
    const Matrix<float> zero(2, 3);
    ThreadPool pool(1);
    const ReconstructionError e = reconstruction_error(zero.view(), random_matrix(2, 3, 1).view(), pool);
    EXPECT_TRUE(std::isinf(e.relative));
    EXPECT_EQ(reconstruction_error(zero.view(), zero.view(), pool).relative, 0);
}

TEST(ReconstructionError, IsAllZeroWithoutElements) {
    ThreadPool pool(1);
    EXPECT_EQ(reconstruction_error(Matrix<float>(0, 3).view(), Matrix<float>(0, 3).view(), pool).mean_abs, 0);
    EXPECT_EQ(reconstruction_error(Matrix<float>(3, 0).view(), Matrix<float>(3, 0).view(), pool).mean_abs, 0);
}

TEST(ReconstructionError, IsTheSameForAnyNumberOfThreads) {
    const Matrix<float> w = random_matrix(999, 255, 4), other = random_matrix(999, 255, 5);
    ThreadPool one(1), five(5);
    const ReconstructionError a = reconstruction_error(w.view(), other.view(), one);
    const ReconstructionError b = reconstruction_error(w.view(), other.view(), five);
    EXPECT_EQ(a.frobenius, b.frobenius);
    EXPECT_EQ(a.relative, b.relative);
    EXPECT_EQ(a.mean_abs, b.mean_abs);
}

TEST(ReconstructionError, RefusesDifferentShapes) {
    ThreadPool pool(1);
    EXPECT_THROW(reconstruction_error(Matrix<float>(2, 3).view(), Matrix<float>(3, 2).view(), pool),
                 InvalidArgument);
}

TEST(ReconstructionError, RefusesNonFiniteValues) {
    ThreadPool pool(1);
    Matrix<float> w = random_matrix(3, 40, 1), bad = w;
    bad.row(2)[39] = NAN;
    EXPECT_THROW(reconstruction_error(w.view(), bad.view(), pool), NumericError);
    bad.row(2)[39] = INFINITY;
    EXPECT_THROW(reconstruction_error(w.view(), bad.view(), pool), NumericError);
    EXPECT_THROW(reconstruction_error(bad.view(), w.view(), pool), NumericError);
}

}  // namespace
}  // namespace assay
