#include "compute/dense.h"

#include <cmath>
#include <limits>
#include <vector>

#include "compute/cpu/cpu_features.h"
#include "compute/cpu/dense_kernels.h"

namespace assay::compute {
namespace {

constexpr std::int64_t kTile = SymmetricMatrix::kTile;
static_assert(kTile == kProductColumns);

const DenseKernels& kernels() {
    static const DenseKernels& best = has_avx512() ? kAvx512Dense : kAvx2Dense;
    return best;
}

// Row k of a tile, of `rows` rows, becomes that of the factor but for the division by its pivot: what the
// rows below it contribute is taken out. `diagonal` is the factor's tile on the diagonal of this row of
// tiles, and may be the tile itself.
void eliminate(const double* diagonal, double* tile, std::int64_t k, std::int64_t rows) {
    subtract_product({.a = diagonal + (k + 1) * kTile + k,
                      .b = tile + (k + 1) * kTile,
                      .c = tile + k * kTile,
                      .a_stride = kTile,
                      .depth = rows - k - 1,
                      .rows = 1});
}

void divide_row(double* row, double pivot) {
    for (std::int64_t c = 0; c < kTile; ++c) row[c] /= pivot;
}

// The tile on the diagonal; `least` are the smallest pivots. Returns the row that fails.
std::optional<std::int64_t> factorize_tile(double* tile, std::int64_t rows, const double* least) {
    for (std::int64_t k = rows; k-- > 0;) {
        eliminate(tile, tile, k, rows);
        const double pivot = tile[k * kTile + k];
        if (!(pivot > least[k]) || !std::isfinite(pivot)) return k;
        divide_row(tile + k * kTile, std::sqrt(pivot));
    }
    return std::nullopt;
}

void solve_tile(const double* diagonal, double* tile, std::int64_t rows) {
    for (std::int64_t k = rows; k-- > 0;) {
        eliminate(diagonal, tile, k, rows);
        divide_row(tile + k * kTile, diagonal[k * kTile + k]);
    }
}

}  // namespace

void add_product(const ProductTask& task) {
    kernels().add_product(task);
}

void subtract_product(const ProductTask& task) {
    kernels().subtract_product(task);
}

std::optional<std::int64_t> factorize(SymmetricMatrix& a, ThreadPool& pool) {
    const double relative = static_cast<double>(a.size()) * std::numeric_limits<double>::epsilon();
    std::vector<double> least;
    for (std::int64_t i = 0; i < a.size(); ++i) least.push_back(relative * a(i, i));
    for (std::int64_t k = a.tile_count(); k-- > 0;) {
        const std::int64_t rows = a.tile_rows(k);
        pool.for_each(k + 1,
                      [&](std::int64_t i) {  // tile (k, i) less what the rows of tiles below contribute
                          for (std::int64_t j = k + 1; j < a.tile_count(); ++j) {
                              subtract_product({.a = a.tile(j, k),
                                                .b = a.tile(j, i),
                                                .c = a.tile(k, i),
                                                .a_stride = kTile,
                                                .depth = a.tile_rows(j),
                                                .rows = rows});
                          }
                      });
        const auto failed = factorize_tile(a.tile(k, k), rows, least.data() + k * kTile);
        if (failed) return k * kTile + *failed;
        pool.for_each(k, [&](std::int64_t i) { solve_tile(a.tile(k, k), a.tile(k, i), rows); });
    }
    return std::nullopt;
}

}  // namespace assay::compute
