// Dense linear algebra in double on host memory: what methods do with statistics.
#pragma once

#include <cstdint>
#include <optional>

#include "base/parallel.h"
#include "compute/product_task.h"
#include "compute/symmetric_matrix.h"

namespace assay::compute {

// c += aᵀ b and c -= aᵀ b, on the caller's thread. An element's bits depend on its own row of aᵀ and column
// of b alone.
void add_product(const ProductTask& task);
void subtract_product(const ProductTask& task);

// Replaces A by the lower triangular M with A = MᵀM (the Cholesky factorization from the last row upwards).
// Returns none, or the first row met whose pivot is not above `size` · 2^-52 times its diagonal element, NaN
// included: then A is not numerically positive definite, and what is left of it means nothing. The same bits
// for any number of threads.
// Source: Golub & Van Loan, Matrix Computations, 4.2, on the reversed matrix.
std::optional<std::int64_t> factorize(SymmetricMatrix& a, ThreadPool& pool);

}  // namespace assay::compute
