// Products and factorizations in double, against loops; statistics of the backends.
#include "compute/dense.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"
#include "compute/cpu/cpu_features.h"
#include "compute/cpu/dense_kernels.h"
#include "compute/testing.h"

namespace assay::compute {
namespace {

std::vector<double> random_numbers(std::int64_t count, std::uint64_t seed) {
    Rng rng(seed);
    std::vector<double> numbers;
    for (std::int64_t i = 0; i < count; ++i) numbers.push_back(rng.uniform() * 2 - 1);
    return numbers;
}

TEST(Products, EqualPlainLoopsOfAnyDepthAndHeightWithAllKernels) {
    std::vector<const DenseKernels*> all{&kAvx2Dense};
    if (has_avx512()) all.push_back(&kAvx512Dense);
    for (const DenseKernels* kernels : all) {
        for (std::int64_t depth : {0, 1, 31, 255, 600}) {
            for (std::int64_t rows : {0, 1, 3, 8, 33, 64}) {
                const auto a = random_numbers(depth * (rows + 2) + 1, 1),
                           b = random_numbers(depth * 70 + 1, 2), start = random_numbers(rows * 64 + 1, 3);
                std::vector<double> sum = start, rest = start;
                const ProductTask task{.a = a.data(),
                                       .b = b.data(),
                                       .c = sum.data(),
                                       .a_stride = rows + 2,
                                       .b_stride = 70,
                                       .depth = depth,
                                       .rows = rows};
                kernels->add_product(task);
                ProductTask less = task;
                less.c = rest.data();
                kernels->subtract_product(less);
                for (std::int64_t r = 0; r < rows; ++r) {
                    for (std::int64_t c = 0; c < kProductColumns; ++c) {
                        double product = 0;
                        for (std::int64_t d = 0; d < depth; ++d)
                            product += a[static_cast<std::size_t>(d * (rows + 2) + r)] *
                                       b[static_cast<std::size_t>(d * 70 + c)];
                        const auto i = static_cast<std::size_t>(r * 64 + c);
                        ASSERT_NEAR(sum[i], start[i] + product, 1e-12);
                        ASSERT_NEAR(rest[i], start[i] - product, 1e-12);
                    }
                }
                EXPECT_EQ(sum.back(), start.back());
            }
        }
    }
}

// X Xᵀ + shift·I of random X [n, rank].
SymmetricMatrix random_gram(std::int64_t n, std::int64_t rank, double shift, std::uint64_t seed = 1) {
    const auto x = random_numbers(n * rank, seed);
    SymmetricMatrix a(n);
    for (std::int64_t i = 0; i < n; ++i) {
        for (std::int64_t j = 0; j <= i; ++j) {
            for (std::int64_t k = 0; k < rank; ++k)
                a(i, j) +=
                    x[static_cast<std::size_t>(i * rank + k)] * x[static_cast<std::size_t>(j * rank + k)];
        }
        a(i, i) += shift;
    }
    return a;
}

TEST(Factorize, GivesALowerTriangleWhoseGramIsTheMatrix) {
    ThreadPool pool(2);
    for (std::int64_t n : {1, 2, 31, 64, 65, 130, 255}) {
        const SymmetricMatrix a = random_gram(n, n + 3, 0.5);
        SymmetricMatrix m = a;
        ASSERT_FALSE(factorize(m, pool).has_value()) << n;
        for (std::int64_t i = 0; i < n; ++i) {
            for (std::int64_t j = 0; j <= i; ++j) {
                double sum = 0;
                for (std::int64_t k = i; k < n; ++k) sum += m(k, i) * m(k, j);  // (MᵀM)_ij
                ASSERT_NEAR(sum, a(i, j), 1e-12 * static_cast<double>(n)) << n << ": " << i << ", " << j;
            }
        }
    }
}

TEST(Factorize, OfADiagonalTakesItsRoots) {
    ThreadPool pool(1);
    SymmetricMatrix a(70);
    for (std::int64_t i = 0; i < 70; ++i) a(i, i) = static_cast<double>((i + 1) * (i + 1));
    ASSERT_FALSE(factorize(a, pool).has_value());
    for (std::int64_t i = 0; i < 70; ++i) {
        EXPECT_EQ(a(i, i), static_cast<double>(i + 1));
        for (std::int64_t j = 0; j < i; ++j) ASSERT_EQ(a(i, j), 0);
    }
}

TEST(Factorize, FailsWhereTheMatrixIsNotPositiveDefinite) {
    ThreadPool pool(2);
    SymmetricMatrix rank_one = random_gram(100, 1, 0), singular = random_gram(130, 129, 0), zero(3);
    EXPECT_EQ(factorize(rank_one, pool), 98);  // its second pivot is 0 but for rounding
    EXPECT_TRUE(factorize(singular, pool).has_value());
    EXPECT_EQ(factorize(zero, pool), 2);
    SymmetricMatrix negative = random_gram(70, 80, 1);
    negative(5, 5) = -1;
    EXPECT_EQ(factorize(negative, pool), 5);
    for (double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
        SymmetricMatrix a = random_gram(70, 80, 1);
        a(66, 3) = bad;
        EXPECT_TRUE(factorize(a, pool).has_value());
    }
    SymmetricMatrix none(0);
    EXPECT_FALSE(factorize(none, pool).has_value());
}

TEST(Factorize, BitsDoNotDependOnThreads) {
    SymmetricMatrix one = random_gram(200, 210, 0.1), many = one;
    ThreadPool single(1), three(3);
    ASSERT_FALSE(factorize(one, single).has_value());
    ASSERT_FALSE(factorize(many, three).has_value());
    for (std::int64_t i = 0; i < 200; ++i) {
        for (std::int64_t j = 0; j <= i; ++j) ASSERT_EQ(one(i, j), many(i, j));
    }
}

class GramTest : public ::testing::TestWithParam<CpuKernels> {
  protected:
    static SymmetricMatrix gram(Backend& backend, const std::vector<std::int64_t>& windows, std::int64_t n,
                                std::span<const double> weights = {}) {
        const Batch batch(windows);
        SymmetricMatrix sums(n);
        backend.add_gram(batch, to_device(backend, random_matrix(batch.rows(), n, 1)), weights, sums);
        return sums;
    }
    static void expect_same(const SymmetricMatrix& a, const SymmetricMatrix& b, double tolerance) {
        for (std::int64_t i = 0; i < a.size(); ++i) {
            for (std::int64_t j = 0; j <= i; ++j) ASSERT_NEAR(a(i, j), b(i, j), tolerance) << i << ", " << j;
        }
    }

    ThreadPool pool_{2};
    std::unique_ptr<Backend> cpu_ = make_cpu_backend(pool_, {GetParam()});
    std::unique_ptr<Backend> reference_ = make_reference_backend();
};

INSTANTIATE_TEST_SUITE_P(Kernels, GramTest, ::testing::Values(CpuKernels::kBest, CpuKernels::kAvx2),
                         [](const auto& info) { return info.param == CpuKernels::kBest ? "Best" : "Avx2"; });

TEST_P(GramTest, AgreesWithPlainSumsOfAnySizes) {
    for (std::int64_t n : {1, 31, 64, 97, 300}) {
        for (const auto& windows : std::vector<std::vector<std::int64_t>>{{}, {1}, {33, 0, 70}, {700, 600}}) {
            // Chains of up to 256 products below 1, rounded to f32 one by one.
            expect_same(gram(*reference_, windows, n), gram(*cpu_, windows, n), 256 * 256 * 6e-8 / 4);
        }
    }
}

TEST_P(GramTest, WeighsRows) {
    const auto weights = random_numbers(103, 5);
    expect_same(gram(*reference_, {33, 70}, 97, weights), gram(*cpu_, {33, 70}, 97, weights),
                256 * 256 * 6e-8 / 4);
    const std::vector<double> ones(103, 1.0);
    expect_same(gram(*cpu_, {33, 70}, 97, ones), gram(*cpu_, {33, 70}, 97), 0);
}

TEST_P(GramTest, BitsDependOnNeitherThreadsNorBatching) {
    const std::vector<std::int64_t> windows{300, 50, 1000, 70};
    const Matrix<float> x = random_matrix(1420, 130, 1);
    ThreadPool three(3);
    const auto other = make_cpu_backend(three, {GetParam()});
    SymmetricMatrix apart(130);
    std::int64_t first = 0;
    for (std::int64_t rows : windows) {
        Matrix<float> part(rows, 130);
        std::copy_n(x.row(first).begin(), rows * 130, part.values().begin());
        other->add_gram(Batch({rows}), to_device(*other, part), {}, apart);
        first += rows;
    }
    expect_same(apart, gram(*cpu_, windows, 130), 0);
}

TEST_P(GramTest, RefusesShapesThatDoNotFit) {
    for (Backend* backend : {cpu_.get(), reference_.get()}) {
        const Tensor x = to_device(*backend, random_matrix(4, 5, 1));
        SymmetricMatrix five(5), four(4);
        EXPECT_THROW(backend->add_gram(Batch({3}), x, {}, five), InvalidArgument);
        EXPECT_THROW(backend->add_gram(Batch({4}), x, {}, four), InvalidArgument);
        EXPECT_THROW(backend->add_gram(Batch({4}), x, std::vector<double>{1, 1}, five), InvalidArgument);
    }
}

}  // namespace
}  // namespace assay::compute
