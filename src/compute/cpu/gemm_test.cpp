// Products with every kernel that the processor has, against sums in double of the same (rounded) operands.
#include "compute/cpu/gemm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "tensor/float16.h"

namespace assay::compute {
namespace {

Matrix<float> random_matrix(std::int64_t rows, std::int64_t cols, std::uint64_t seed) {
    Matrix<float> m(rows, cols);
    Rng rng(seed);
    for (float& v : m.values()) v = static_cast<float>(rng.uniform() * 2 - 1);
    return m;
}

class GemmTest : public ::testing::TestWithParam<CpuOptions> {
  protected:
    void SetUp() override {
        if (!cpu_supports(GetParam())) GTEST_SKIP() << "not on this processor";
    }

    double rounded(float v) const {
        return static_cast<double>(GetParam().precision == Precision::kF32 ? v : bf16_to_f32(f32_to_bf16(v)));
    }

    // y = x wᵀ + bias + residual, or without them.
    static Matrix<float> multiply(MatrixView<const float> x, const Matrix<float>& w, bool add) {
        Gemm gemm(GetParam());
        const PackedMatrix packed = gemm.pack(w.view());
        const Matrix<float> bias = random_matrix(1, w.rows(), 3),
                            residual = random_matrix(x.rows(), w.rows(), 4);
        Matrix<float> y(x.rows(), w.rows());
        gemm.multiply(x.rows(), x.data(), packed, add ? bias.values().data() : nullptr,
                      add ? residual.values().data() : nullptr, y.values().data());
        return y;
    }

    void expect_sums(const Matrix<float>& x, const Matrix<float>& w, bool add) const {
        const Matrix<float> y = multiply(x.view(), w, add);
        const Matrix<float> bias = random_matrix(1, w.rows(), 3),
                            residual = random_matrix(x.rows(), w.rows(), 4);
        for (std::int64_t r = 0; r < x.rows(); ++r) {
            for (std::int64_t c = 0; c < w.rows(); ++c) {
                double sum =
                    add ? static_cast<double>(bias.view()(0, c)) + static_cast<double>(residual.view()(r, c))
                        : 0;
                double size = std::abs(sum) + (add ? 2.0 : 0.0);
                for (std::int64_t k = 0; k < w.cols(); ++k) {
                    const double product = rounded(x.view()(r, k)) * rounded(w.view()(c, k));
                    sum += product;
                    size += std::abs(product);
                }
                ASSERT_NEAR(sum, static_cast<double>(y.view()(r, c)), 3e-7 * size)
                    << x.rows() << "x" << w.cols() << "x" << w.rows() << " at " << r << ", " << c;
            }
        }
    }
};

std::string kernels_name(const ::testing::TestParamInfo<CpuOptions>& info) {
    const char* kernels[] = {"Best", "Avx512", "Avx2", "Avx2ShortSums"};
    return std::string(info.param.precision == Precision::kF32 ? "F32" : "Bf16") +
           kernels[static_cast<int>(info.param.kernels)];
}

INSTANTIATE_TEST_SUITE_P(Kernels, GemmTest,
                         ::testing::Values(CpuOptions{CpuKernels::kBest, Precision::kF32},
                                           CpuOptions{CpuKernels::kAvx2, Precision::kF32},
                                           CpuOptions{CpuKernels::kAvx2ShortSums, Precision::kF32},
                                           CpuOptions{CpuKernels::kBest, Precision::kBf16},
                                           CpuOptions{CpuKernels::kAvx512, Precision::kBf16}),
                         kernels_name);

TEST_P(GemmTest, SumsAgreeOverAwkwardSizes) {
    for (std::int64_t rows : {1, 7, 8, 31, 33}) {
        for (std::int64_t in : {1, 2, 31, 33, 255}) {
            for (std::int64_t out : {1, 15, 16, 33, 48, 49, 130}) {
                for (bool add : {false, true})
                    expect_sums(random_matrix(rows, in, 1), random_matrix(out, in, 2), add);
            }
        }
    }
}

TEST_P(GemmTest, SumsAgreeAcrossBlocksOfTheDepth) {
    for (std::int64_t in : {1023, 1025, 2049, 4500}) {
        for (bool add : {false, true}) expect_sums(random_matrix(9, in, 1), random_matrix(50, in, 2), add);
    }
}

TEST_P(GemmTest, ARowsBitsDependOnThatRowAlone) {
    for (std::int64_t in : {70, 2500}) {
        const Matrix<float> x = random_matrix(256, in, 5), w = random_matrix(90, in, 6);
        const Matrix<float> together = multiply(x.view(), w, false);
        for (std::int64_t rows : {1, 2, 3, 4, 5, 6, 7, 8, 33, 100}) {
            for (std::int64_t first : {0, 5, 156}) {
                const Matrix<float> part = multiply(x.view().row_range(first, rows), w, false);
                ASSERT_TRUE(std::equal(part.values().begin(), part.values().end(),
                                       together.values().begin() + first * w.rows()))
                    << rows << " rows from " << first;
            }
        }
    }
}

TEST_P(GemmTest, TheResidualMayBeTheResult) {
    for (std::int64_t in : {40, 2500}) {
        const Matrix<float> x = random_matrix(20, in, 1), w = random_matrix(61, in, 2);
        const Matrix<float> residual = random_matrix(20, 61, 4);
        Gemm gemm(GetParam());
        const PackedMatrix packed = gemm.pack(w.view());
        Matrix<float> apart(20, 61), in_place = residual;
        gemm.multiply(20, x.values().data(), packed, nullptr, residual.values().data(),
                      apart.values().data());
        gemm.multiply(20, x.values().data(), packed, nullptr, in_place.values().data(),
                      in_place.values().data());
        EXPECT_TRUE(std::equal(apart.values().begin(), apart.values().end(), in_place.values().begin()));
    }
}

TEST_P(GemmTest, NotANumberStaysOne) {
    Matrix<float> x = random_matrix(3, 40, 1);
    x.view()(1, 39) = std::nanf("");
    const Matrix<float> y = multiply(x.view(), random_matrix(20, 40, 2), true);
    for (std::int64_t c = 0; c < 20; ++c) {
        EXPECT_TRUE(std::isnan(y.view()(1, c)));
        EXPECT_FALSE(std::isnan(y.view()(0, c)) || std::isnan(y.view()(2, c)));
    }
}

TEST(Gemm, RefusesBf16WithoutInstructionsForIt) {
    const CpuOptions options{CpuKernels::kAvx2, Precision::kBf16};
    EXPECT_FALSE(cpu_supports(options));
    EXPECT_THROW(Gemm{options}, Error);
}

TEST(Gemm, RefusesAnOperandWithoutElements) {
    EXPECT_THROW(Gemm({}).pack(Matrix<float>(3, 0).view()), InvalidArgument);
}

}  // namespace
}  // namespace assay::compute
