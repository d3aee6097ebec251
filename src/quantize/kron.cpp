#include "quantize/kron.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "base/checked.h"
#include "base/error.h"
#include "compute/dense.h"
#include "quantize/awq.h"
#include "quantize/int_grids.h"
#include "quantize/row_panel.h"
#include "quantize/rtn.h"

namespace assay {
namespace {

constexpr std::int64_t kTile = compute::SymmetricMatrix::kTile;
static_assert(RowPanel::kRows == kTile);
// Columns that are rounded before their errors reach those behind them, in one product: as gptq().
constexpr std::int64_t kStep = 8;

constexpr double kSame = 1e-9;  // sums of the same errors in another order

struct Tile {
    std::int64_t panel, column;  // first row / kTile and first column / kTile, in the factors' orders
};

// Calls work(tile) for each tile of rows and columns after all tiles above and to the left of it.
template <class Work>
void for_each_tile(std::int64_t panels, std::int64_t columns, ThreadPool& pool, const Work& work) {
    for (std::int64_t d = 0; d < panels + columns - 1; ++d) {
        const std::int64_t first = std::max<std::int64_t>(0, d - columns + 1), end = std::min(panels, d + 1);
        pool.for_each(end - first, [&](std::int64_t i) { work(Tile{first + i, d - first - i}); });
    }
}

// A weight's rows and columns in the factors' orders, and what becomes of them.
class TwoSided {
  public:
    TwoSided(MatrixView<const float> w, const KronFactors& factors)
        : w_(w),
          factors_(factors),
          passed_(w.rows(), factors.input.feedback.tile_count() * kTile),
          panels_(factors.output.feedback.tile_count()),
          own_(static_cast<std::size_t>(panels_), RowPanel(factors.input)) {}

    // Rounds onto the grids of `out`, and returns the weighted square of the errors.
    double round(const GridTable& grids, EncodedWeight& out, ThreadPool& pool) {
        return sum_over_tiles(pool, [&](const Tile& tile, Matrix<double>& above) {
            return round_tile(tile, grids, out, above);
        });
    }

    // The weighted square of w - dequantized.
    double error_of(MatrixView<const float> dequantized, ThreadPool& pool) {
        return sum_over_tiles(pool, [&](const Tile& tile, Matrix<double>& above) {
            return pass(tile, above, [&](std::int64_t k, std::int64_t row, double) {
                return dequantized(row, column(k));
            });
        });
    }

  private:
    std::int64_t column(std::int64_t k) const { return factors_.input.order[static_cast<std::size_t>(k)]; }
    std::int64_t row_of(const Tile& tile, std::int64_t r) const {
        return factors_.output.order[static_cast<std::size_t>(tile.panel * kTile + r)];
    }
    std::int64_t rows_of(const Tile& tile) const { return std::min(kTile, w_.rows() - tile.panel * kTile); }
    double weight(std::int64_t k, std::int64_t row) const { return static_cast<double>(w_(row, column(k))); }

    // Adds up, in the tiles' own order, what visit(tile, above) returns; above [columns, rows] holds what the
    // panels above say of the tile's entries.
    template <class Visit>
    double sum_over_tiles(ThreadPool& pool, const Visit& visit) {
        const std::int64_t columns = factors_.input.feedback.tile_count();
        std::vector<double> sums(static_cast<std::size_t>(panels_ * columns));
        for_each_tile(panels_, columns, pool, [&](const Tile& tile) {
            Matrix<double> above(kTile, kTile);
            if (tile.panel > 0) {
                compute::add_product({.a = passed_.values().data() + tile.column * kTile,
                                      .b = factors_.output.feedback.tile(tile.panel, 0),
                                      .c = above.values().data(),
                                      .a_stride = passed_.cols(),
                                      .depth = tile.panel * kTile,
                                      .rows = kTile});
            }
            sums[static_cast<std::size_t>(tile.panel * columns + tile.column)] = visit(tile, above);
        });
        return std::accumulate(sums.begin(), sums.end(), 0.0);
    }

    double round_tile(const Tile& tile, const GridTable& grids, EncodedWeight& out, Matrix<double>& above) {
        const GroupLayout layout = group_layout(out.format, w_.rows(), w_.cols());
        const auto top = static_cast<float>(out.format.top());
        return pass(tile, above, [&](std::int64_t k, std::int64_t row, double wanted) {
            const std::int64_t c = column(k), grid_row = row / layout.height, group = c / layout.columns;
            const IntGrid grid{grids.scales.view()(grid_row, group), grids.zeros.view()(grid_row, group),
                               top};
            const float code = grid.code(static_cast<float>(wanted));
            out.encoding.codes.view()(row, c) = static_cast<std::uint8_t>(static_cast<std::int32_t>(code));
            return grid.value(code);
        });
    }

    // Calls rounded(k, row, wanted) for each entry of the tile, in column k of the order and this row of the
    // weight: it returns what the entry becomes. `above` holds what the panels above say of them [columns,
    // rows]. Returns the weighted square of the errors.
    template <class Rounded>
    double pass(const Tile& tile, Matrix<double>& above, const Rounded& rounded) {
        RowPanel& own = own_[static_cast<std::size_t>(tile.panel)];
        const std::int64_t first = tile.column * kTile, end = std::min(first + kTile, w_.cols());
        for (std::int64_t k = first; k < end; ++k) {
            for (std::int64_t r = 0; r < rows_of(tile); ++r) own.column(k)[r] = weight(k, row_of(tile, r));
        }
        for (std::int64_t k = 0; k < first; k += kStep) own.feed_back(k, k + kStep, first, end);
        double sum = 0;
        for (std::int64_t k = first; k < end; k += kStep) {
            const std::int64_t step = std::min(k + kStep, end);
            for (std::int64_t j = k; j < step; ++j) {
                sum += factors_.input.pivots[static_cast<std::size_t>(j)] *
                       pass_column(tile, j, above.row(j - first), rounded);
                if (j + 1 < step) own.feed_back(j, j + 1, j + 1, step);
            }
            if (step < end) own.feed_back(k, step, step, end);
        }
        return sum;
    }

    // Column k of a panel becomes its errors, row after row. Returns Σ_rows n_ii² T_ik².
    template <class Rounded>
    double pass_column(const Tile& tile, std::int64_t k, std::span<double> above, const Rounded& rounded) {
        double* values = own_[static_cast<std::size_t>(tile.panel)].column(k);
        const double* feedback = factors_.output.feedback.tile(tile.panel, tile.panel);
        const double* pivots = factors_.output.pivots.data() + tile.panel * kTile;
        double sum = 0;
        for (std::int64_t r = 0; r < rows_of(tile); ++r, feedback += kTile) {
            const double wanted = values[r] + above[static_cast<std::size_t>(r)];
            const auto got = static_cast<double>(rounded(k, row_of(tile, r), wanted));
            const double passed = values[r] - got;
            for (std::int64_t i = r + 1; i < kTile; ++i)
                above[static_cast<std::size_t>(i)] += passed * feedback[i];
            sum += pivots[r] * (wanted - got) * (wanted - got);
            passed_.view()(tile.panel * kTile + r, k) = passed;
            values[r] = weight(k, row_of(tile, r)) - got;
        }
        return sum;
    }

    MatrixView<const float> w_;
    const KronFactors& factors_;
    Matrix<double> passed_;  // [out, in]: Σ_{j<=k} E_ij f_jk
    std::int64_t panels_;
    std::vector<RowPanel> own_;  // errors
};

void expect_fit(const KronFactors& factors, MatrixView<const float> w) {
    const std::int64_t out = factors.output.feedback.size(), in = factors.input.feedback.size();
    if (w.rows() == out && w.cols() == in) return;
    throw InvalidArgument(
        fmt::format("a weight [{}, {}], Kronecker factors of [{}, {}]", w.rows(), w.cols(), out, in));
}

double rtn_error(MatrixView<const float> w, const IntFormat& format, const KronFactors& factors,
                 ThreadPool& pool) {
    Matrix<float> rounded(w.rows(), w.cols());
    rtn(w, format, rounded.view(), pool);
    return kron_error(factors, w, rounded.view(), pool);
}

void round_or_say_why(MatrixView<const float> w, const KronFactors& factors, bool clip, KronResult& result,
                      ThreadPool& pool) {
    const IntFormat& format = result.weight.format;
    result.rtn_error = rtn_error(w, format, factors, pool);
    try {
        const GridTable grids =
            grids_of(w, format, clip ? std::span(factors.input.energy) : std::span<const double>(), pool);
        keep_grids(grids, result.weight);
        result.error = TwoSided(w, factors).round(grids, result.weight, pool);
        if (result.error > (1 + kSame) * result.rtn_error)
            result.fallback = fmt::format("its weighted error is {:.3g} times that of round to nearest",
                                          result.error / result.rtn_error);
    } catch (const NumericError& e) {
        result.fallback = e.what();
    }
}

KronResult round_unscaled(MatrixView<const float> w, const IntFormat& format, const KronFactors& factors,
                          bool clip, ThreadPool& pool) {
    KronResult result{
        .weight = empty_weight(format, w.rows(), w.cols()),
        .fallback = factors.input.failure.empty() ? factors.output.failure : factors.input.failure};
    if (result.fallback.empty()) {
        expect_fit(factors, w);
        round_or_say_why(w, factors, clip, result, pool);
    }
    if (!result.fallback.empty()) {
        result.weight = {format, encode_int(w, format, pool), {}};
        result.error = result.rtn_error;
    }
    return result;
}

}  // namespace

KronResult kron_round(MatrixView<const float> w, const IntFormat& format, const KronFactors& factors,
                      const KronOptions& options, ThreadPool& pool) {
    if (options.scales.empty()) return round_unscaled(w, format, factors, options.clip, pool);
    const ScaledLinear scaled = scaled_linear(w, factors.input, options.scales, pool);
    KronResult result =
        round_unscaled(scaled.weight.view(), format, {factors.output, scaled.factor}, options.clip, pool);
    result.weight.column_scales.assign(options.scales.begin(), options.scales.end());
    if (factors.input.failure.empty() && factors.output.failure.empty())
        result.rtn_error = rtn_error(w, format, factors, pool);
    return result;
}

double kron_error(const KronFactors& factors, MatrixView<const float> w, MatrixView<const float> dequantized,
                  ThreadPool& pool) {
    for (const InputFactor* factor : {&factors.output, &factors.input}) {
        if (!factor->failure.empty()) throw InvalidArgument("kron_error: " + factor->failure);
    }
    expect_fit(factors, w);
    if (dequantized.rows() != w.rows() || dequantized.cols() != w.cols())
        throw InvalidArgument("kron_error: the shapes do not fit");
    return TwoSided(w, factors).error_of(dequantized, pool);
}

}  // namespace assay
