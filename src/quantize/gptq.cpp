#include "quantize/gptq.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "base/error.h"
#include "quantize/int_grids.h"
#include "quantize/row_panel.h"
#include "quantize/rtn.h"

namespace assay {
namespace {

constexpr std::int64_t kTile = compute::SymmetricMatrix::kTile;
// Columns that are rounded before their errors reach those behind them, in one product.
constexpr std::int64_t kStep = 8;

constexpr double kSame = 1e-9;  // sums of the same errors in another order

// What the panels of one weight share.
struct Task {
    MatrixView<const float> w;
    const IntFormat& format;
    const InputFactor& factor;
    GroupLayout layout;
    bool static_groups;
    std::span<const double> importance;  // empty: no clipping
    GridTable grids;                     // of static groups
    EncodedWeight& out;

    std::int64_t column(std::int64_t k) const { return factor.order[static_cast<std::size_t>(k)]; }
};

// Rounds the rows [first, first + rows) of the weight.
class Panel {
  public:
    Panel(const Task& task, std::int64_t first, std::int64_t rows)
        : task_(task),
          first_(first),
          rows_(rows),
          values_(task.factor),
          scales_(task.layout.per_row, RowPanel::kRows),
          zeros_(task.layout.per_row, RowPanel::kRows) {
        if (task.static_groups) take_static_grids();
    }

    // Returns the weighted square of the errors.
    double round() {
        for (std::int64_t k = 0; k < task_.w.cols(); k = group_end(k)) {
            if (task_.static_groups) {
                load();
            } else {
                while (loaded_ < group_end(k)) load();
                begin_group(k);
            }
            pass(k, group_end(k), loaded_, [&](std::int64_t j) { round_column(j); });
            done_ = group_end(k);
        }
        return sum_;
    }

  private:
    std::int64_t tile_end(std::int64_t k) const { return std::min((k / kTile + 1) * kTile, task_.w.cols()); }

    // Columns that are rounded together: of a group, in the order in which they come, or of a tile.
    std::int64_t group_end(std::int64_t k) const {
        if (task_.static_groups) return tile_end(k);
        return std::min((k / task_.layout.columns + 1) * task_.layout.columns, task_.w.cols());
    }

    // Calls visit(j), which leaves the column's error, for each column of [first, end), and lets the errors
    // reach all columns behind it up to `reach`.
    template <class Visit>
    void pass(std::int64_t first, std::int64_t end, std::int64_t reach, const Visit& visit) {
        for (std::int64_t k = first; k < end;) {
            const std::int64_t step = std::min({k + kStep, end, tile_end(k)});
            for (std::int64_t j = k; j < step; ++j) {
                visit(j);
                if (j + 1 < step) values_.feed_back(j, j + 1, j + 1, step);
            }
            for (std::int64_t next = step; next < reach; next = tile_end(next))
                values_.feed_back(k, step, next, std::min(tile_end(next), reach));
            k = step;
        }
    }

    void take_static_grids() {
        for (std::int64_t r = 0; r < rows_; ++r) {
            const std::int64_t row = (first_ + r) / task_.layout.height;
            for (std::int64_t g = 0; g < task_.layout.per_row; ++g) {
                scales_.view()(g, r) = task_.grids.scales.view()(row, g);
                zeros_.view()(g, r) = task_.grids.zeros.view()(row, g);
            }
        }
    }

    double weight(std::int64_t k, std::int64_t r) const {
        return static_cast<double>(task_.w(first_ + r, task_.column(k)));
    }

    // The next tile of columns, with what the errors so far say of them. From now on each error reaches them.
    void load() {
        const std::int64_t first = loaded_, end = tile_end(first);
        for (std::int64_t k = first; k < end; ++k) {
            for (std::int64_t r = 0; r < rows_; ++r) values_.column(k)[r] = weight(k, r);
        }
        if (done_ > 0) values_.feed_back(0, done_, first, end);
        loaded_ = end;
    }

    // Grids of the group that begins at k: of its weights as they would be if nothing were rounded any more.
    void begin_group(std::int64_t k) {
        const std::int64_t end = group_end(k), columns = end - k;
        Matrix<double> saved(columns, RowPanel::kRows);
        std::copy_n(values_.column(k), saved.values().size(), saved.values().begin());
        Matrix<float> wanted(RowPanel::kRows, columns);
        pass(k, end, end, [&](std::int64_t j) {
            for (std::int64_t r = 0; r < rows_; ++r) {
                double& value = values_.column(j)[r];
                wanted.view()(r, j - k) = static_cast<float>(value);
                value = weight(j, r) - value;
            }
        });
        std::copy(saved.values().begin(), saved.values().end(), values_.column(k));
        std::vector<double> importance;
        for (std::int64_t j = k; j < end && !task_.importance.empty(); ++j)
            importance.push_back(task_.importance[static_cast<std::size_t>(task_.column(j))]);
        for (std::int64_t r = 0; r < rows_; ++r)
            keep_grid(k / task_.layout.columns, r, choose_grid(task_.format, wanted.row(r), importance));
    }

    void keep_grid(std::int64_t g, std::int64_t r, const IntGrid& grid) {
        scales_.view()(g, r) = grid.scale;
        zeros_.view()(g, r) = grid.zero;
        task_.out.encoding.scales.view()(first_ + r, g) = grid.scale;
        if (!task_.format.symmetric)
            task_.out.encoding.zeros.view()(first_ + r, g) = static_cast<std::uint8_t>(grid.zero);
    }

    // Column k becomes its error.
    void round_column(std::int64_t k) {
        const std::int64_t c = task_.column(k);
        const std::int64_t g = (task_.static_groups ? c : k) / task_.layout.columns;
        const auto scales = scales_.row(g), zeros = zeros_.row(g);
        const auto top = static_cast<float>(task_.format.top());
        double* values = values_.column(k);
        float codes[RowPanel::kRows], rounded[RowPanel::kRows];
        for (std::size_t r = 0; r < RowPanel::kRows; ++r) {
            const IntGrid grid{scales[r], zeros[r], top};
            codes[r] = grid.code(static_cast<float>(values[r]));
            rounded[r] = grid.value(codes[r]);
        }
        double squares = 0;
        for (std::int64_t r = 0; r < rows_; ++r) {
            const double left = values[r] - static_cast<double>(rounded[r]);
            squares += left * left;
            values[r] = weight(k, r) - static_cast<double>(rounded[r]);
            task_.out.encoding.codes.view()(first_ + r, c) =
                static_cast<std::uint8_t>(static_cast<std::int32_t>(codes[r]));
        }
        sum_ += task_.factor.pivots[static_cast<std::size_t>(k)] * squares;
    }

    const Task& task_;
    std::int64_t first_, rows_;
    RowPanel values_;
    Matrix<float> scales_, zeros_;  // [groups, rows]
    std::int64_t loaded_ = 0, done_ = 0;
    double sum_ = 0;
};

// Groups of columns that come together, where that is not their own order.
std::vector<std::int32_t> groups_in_order(const InputFactor& factor, std::int64_t columns) {
    if (std::is_sorted(factor.order.begin(), factor.order.end())) return {};
    std::vector<std::int32_t> groups(factor.order.size());
    for (std::size_t k = 0; k < groups.size(); ++k)
        groups[static_cast<std::size_t>(factor.order[k])] =
            static_cast<std::int32_t>(static_cast<std::int64_t>(k) / columns);
    return groups;
}

double rtn_error(MatrixView<const float> w, const IntFormat& format, const InputFactor& factor,
                 ThreadPool& pool) {
    Matrix<float> rounded(w.rows(), w.cols());
    rtn(w, format, rounded.view(), pool);
    return weighted_error(factor, w, rounded.view(), pool);
}

// The errors' weighted square.
double round_columns(MatrixView<const float> w, const InputFactor& factor, const GptqOptions& options,
                     EncodedWeight& out, ThreadPool& pool) {
    const GroupLayout layout = group_layout(out.format, w.rows(), w.cols());
    Task task{.w = w,
              .format = out.format,
              .factor = factor,
              .layout = layout,
              .static_groups = options.static_groups || layout.height > 1 || layout.per_row == 1,
              .importance = {},
              .grids = {},
              .out = out};
    if (options.clip) task.importance = factor.energy;
    if (task.static_groups) {
        task.grids = grids_of(w, out.format, task.importance, pool);
        keep_grids(task.grids, out);
    } else {
        out.column_groups = groups_in_order(factor, layout.columns);
    }
    return sum_over_panels(w.rows(), pool, [&](std::int64_t first, std::int64_t rows) {
        return Panel(task, first, rows).round();
    });
}

}  // namespace

GptqResult gptq(MatrixView<const float> w, const IntFormat& format, const InputFactor& factor,
                const GptqOptions& options, ThreadPool& pool) {
    GptqResult result{.weight = empty_weight(format, w.rows(), w.cols()), .fallback = factor.failure};
    if (result.fallback.empty()) {
        if (factor.feedback.size() != w.cols())
            throw InvalidArgument(fmt::format("gptq: a weight of {} columns, statistics of {}", w.cols(),
                                              factor.feedback.size()));
        result.rtn_error = rtn_error(w, format, factor, pool);
        try {
            result.error = round_columns(w, factor, options, result.weight, pool);
            if (result.error > (1 + kSame) * result.rtn_error)
                result.fallback = fmt::format("its weighted error is {:.3g} times that of round to nearest",
                                              result.error / result.rtn_error);
        } catch (const NumericError& e) {
            result.fallback = e.what();
        }
    }
    if (!result.fallback.empty()) {
        result.weight = {format, encode_int(w, format, pool), {}, {}};
        result.error = result.rtn_error;
    }
    return result;
}

}  // namespace assay
