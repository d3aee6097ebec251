#include "quantize/row_panel.h"

#include <algorithm>
#include <numeric>

#include "base/checked.h"
#include "compute/dense.h"

namespace assay {
namespace {

constexpr std::int64_t kTile = compute::SymmetricMatrix::kTile;
static_assert(RowPanel::kRows == compute::kProductColumns);

}  // namespace

void RowPanel::feed_back(std::int64_t error_first, std::int64_t error_end, std::int64_t first,
                         std::int64_t end) {
    const std::int64_t tile = first / kTile;
    // The tiles (tile, 0), (tile, 1), … lie one after the other: f's rows j at a distance of kTile.
    compute::add_product({.a = factor_.feedback.tile(tile, 0) + error_first * kTile + (first - tile * kTile),
                          .b = column(error_first),
                          .c = column(first),
                          .a_stride = kTile,
                          .depth = error_end - error_first,
                          .rows = end - first});
}

double RowPanel::weighted_square() {
    const std::int64_t n = columns_.rows();
    double sum = 0;
    Matrix<double> fed(kTile, kRows);
    for (std::int64_t tile = 0; tile < factor_.feedback.tile_count(); ++tile) {
        const std::int64_t first = tile * kTile, end = std::min(first + kTile, n);
        std::fill(fed.values().begin(), fed.values().end(), 0.0);
        compute::add_product({.a = factor_.feedback.tile(tile, 0),
                              .b = column(0),
                              .c = fed.values().data(),
                              .a_stride = kTile,
                              .depth = end,
                              .rows = end - first});
        for (std::int64_t k = first; k < end; ++k) {
            const auto row = fed.row(k - first);
            const double square = std::inner_product(row.begin(), row.end(), row.begin(), 0.0);
            sum += factor_.pivots[static_cast<std::size_t>(k)] * square;
        }
    }
    return sum;
}

double sum_over_panels(std::int64_t rows, ThreadPool& pool,
                       const std::function<double(std::int64_t first, std::int64_t rows)>& work) {
    std::vector<double> sums(static_cast<std::size_t>(ceil_div(rows, RowPanel::kRows)));
    parallel_for(pool, rows, RowPanel::kRows, [&](std::int64_t begin, std::int64_t end) {
        sums[static_cast<std::size_t>(begin / RowPanel::kRows)] = work(begin, end - begin);
    });
    return std::accumulate(sums.begin(), sums.end(), 0.0);
}

}  // namespace assay
