#include "number/group_walk.h"

#include <array>
#include <cmath>
#include <span>
#include <string>

#include "base/error.h"

namespace assay {
namespace {

constexpr std::int64_t kTaskElements = 1 << 15;

std::string place(std::int64_t row, std::int64_t column) {
    return "weight at row " + std::to_string(row) + ", column " + std::to_string(column);
}

[[noreturn]] void report_non_finite(std::span<const float> w, std::int64_t row, std::int64_t first_column) {
    const auto bad = std::find_if(w.begin(), w.end(), [](float x) { return !std::isfinite(x); });
    throw NumericError(
        place(row, first_column + (bad - w.begin())) + " is " + (std::isnan(*bad) ? "NaN" : "infinite") +
        ": finite numbers are expected; repair the model file or leave this linear unquantized");
}

// Range of w; `poison` becomes NaN with the first NaN or Inf.
// Independent lanes, because compilers must not reorder one running float minimum into vector operations.
ValueRange range_and_poison(std::span<const float> w, float& poison) {
    constexpr std::size_t kLanes = 16;
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    std::array<float, kLanes> low, high, bad;
    low.fill(kInfinity);
    high.fill(-kInfinity);
    bad.fill(0);
    std::size_t i = 0;
    for (; i + kLanes <= w.size(); i += kLanes) {
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
            const float x = w[i + lane];
            low[lane] = std::min(low[lane], x);
            high[lane] = std::max(high[lane], x);
            bad[lane] += x - x;
        }
    }
    ValueRange range;
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
        range.add({low[lane], high[lane]});
        poison += bad[lane];
    }
    for (; i < w.size(); ++i) {
        range.add({w[i], w[i]});
        poison += w[i] - w[i];
    }
    return range;
}

ValueRange finite_range(MatrixView<const float> w, const Group& group) {
    const auto weights = w.row(group.row).subspan(static_cast<std::size_t>(group.first_column),
                                                  static_cast<std::size_t>(group.columns));
    float poison = 0;
    const ValueRange range = range_and_poison(weights, poison);
    if (std::isnan(poison)) report_non_finite(weights, group.row, group.first_column);
    return range;
}

// Without ranges.
void for_each_place(MatrixView<const float> w, const GroupLayout& layout, ThreadPool& pool,
                    const std::function<void(Group&)>& visit) {
    parallel_for(pool, w.rows(), rows_of_task(w.cols()), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
            for (std::int64_t g = 0; g < layout.per_row; ++g) {
                const std::int64_t first = g * layout.columns;
                Group group{.row = row,
                            .scale_row = row / layout.height,
                            .scale_column = g,
                            .first_column = first,
                            .columns = std::min(layout.columns, w.cols() - first)};
                visit(group);
            }
        }
    });
}

// The ranges of all tiles, [rows, per_row] of the layout.
Matrix<ValueRange> tile_ranges(MatrixView<const float> w, const GroupLayout& layout, ThreadPool& pool) {
    Matrix<ValueRange> rows(w.rows(), layout.per_row), tiles(layout.rows, layout.per_row);
    for_each_place(w, layout, pool, [&](const Group& group) {
        rows.view()(group.row, group.scale_column) = finite_range(w, group);
    });
    for (std::int64_t row = 0; row < w.rows(); ++row) {
        for (std::int64_t g = 0; g < layout.per_row; ++g)
            tiles.view()(row / layout.height, g).add(rows.view()(row, g));
    }
    return tiles;
}

}  // namespace

std::int64_t rows_of_task(std::int64_t columns) {
    return std::max<std::int64_t>(1, kTaskElements / std::max<std::int64_t>(1, columns));
}

ValueRange value_range(MatrixView<const float> w, ThreadPool& pool) {
    const GroupLayout layout = layout_of(kTensorTile, w.rows(), w.cols());
    return layout.columns == 0 ? ValueRange{} : tile_ranges(w, layout, pool).row(0)[0];
}

void for_each_group(MatrixView<const float> w, const GroupLayout& layout, ThreadPool& pool,
                    const std::function<void(const Group&)>& visit) {
    if (layout.columns == 0) return;
    // Only tiles of several rows need a look at other rows first.
    const bool tall = layout.height > 1;
    const Matrix<ValueRange> tiles = tall ? tile_ranges(w, layout, pool) : Matrix<ValueRange>();
    for_each_place(w, layout, pool, [&](Group& group) {
        group.range = tall ? tiles.view()(group.scale_row, group.scale_column) : finite_range(w, group);
        try {
            visit(group);
        } catch (const NumericError& error) {
            throw NumericError("group beginning with the " +
                               place(group.scale_row * layout.height, group.first_column) + ": " +
                               error.what());
        }
    });
}

}  // namespace assay
