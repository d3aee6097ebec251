#include "quantize/int_grids.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "base/error.h"
#include "number/group_walk.h"
#include "quantize/interventions.h"

namespace assay {
namespace {

// Independent lanes: compilers must not reorder one running sum into vector operations.
double rounding_error(const IntGrid& grid, std::span<const float> values,
                      std::span<const double> importance) {
    constexpr std::size_t kLanes = 8;
    double lanes[kLanes] = {};
    const auto add = [&](std::size_t i, std::size_t lane) {
        const double e =
            static_cast<double>(values[i]) - static_cast<double>(grid.value(grid.code(values[i])));
        lanes[lane] += importance[i] * e * e;
    };
    std::size_t i = 0;
    for (; i + kLanes <= values.size(); i += kLanes) {
        for (std::size_t lane = 0; lane < kLanes; ++lane) add(i + lane, lane);
    }
    for (; i < values.size(); ++i) add(i, 0);
    return std::accumulate(lanes, lanes + kLanes, 0.0);
}

// The weights of one scale, row by row, and the importance of each.
struct ScaleValues {
    std::vector<float> values;
    std::vector<double> importance;

    ScaleValues(MatrixView<const float> w, const GroupLayout& layout, std::int64_t scale_row, std::int64_t g,
                std::span<const double> column_importance) {
        const std::int64_t first = g * layout.columns, end = std::min(first + layout.columns, w.cols());
        const std::int64_t rows = std::min(layout.height, w.rows() - scale_row * layout.height);
        for (std::int64_t r = 0; r < rows; ++r) {
            const auto row = w.row(scale_row * layout.height + r);
            values.insert(values.end(), row.begin() + first, row.begin() + end);
            if (!column_importance.empty())
                importance.insert(importance.end(), column_importance.begin() + first,
                                  column_importance.begin() + end);
        }
    }
};

}  // namespace

IntGrid choose_grid(const IntFormat& format, std::span<const float> values,
                    std::span<const double> importance) {
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    if (values.empty()) return int_grid(format, 0, 0);
    IntGrid best = int_grid(format, *low, *high);
    if (importance.empty()) return best;
    double least = rounding_error(best, values, importance);
    for (const float ratio : kClipRatios) {
        if (ratio == 1) continue;
        const IntGrid grid = int_grid(format, ratio * std::min(0.0f, *low), ratio * std::max(0.0f, *high));
        const double error = rounding_error(grid, values, importance);
        if (!(error < least)) continue;
        least = error;
        best = grid;
    }
    return best;
}

GridTable grids_of(MatrixView<const float> w, const IntFormat& format, std::span<const double> importance,
                   ThreadPool& pool) {
    const GroupLayout layout = group_layout(format, w.rows(), w.cols());
    value_range(w, pool);  // all are finite
    GridTable table{Matrix<float>(layout.rows, layout.per_row), Matrix<float>(layout.rows, layout.per_row)};
    parallel_for(pool, layout.rows, rows_of_task(w.cols()), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t r = begin; r < end; ++r) {
            for (std::int64_t g = 0; g < layout.per_row; ++g) {
                const ScaleValues group(w, layout, r, g, importance);
                try {
                    const IntGrid grid = choose_grid(format, group.values, group.importance);
                    table.scales.view()(r, g) = grid.scale;
                    table.zeros.view()(r, g) = grid.zero;
                } catch (const NumericError& e) {
                    throw NumericError("group beginning with the weight at row " +
                                       std::to_string(r * layout.height) + ", column " +
                                       std::to_string(g * layout.columns) + ": " + e.what());
                }
            }
        }
    });
    return table;
}

EncodedWeight empty_weight(const IntFormat& format, std::int64_t rows, std::int64_t cols) {
    const GroupLayout layout = group_layout(format, rows, cols);
    return {format,
            {.codes = Matrix<std::uint8_t>(rows, cols),
             .scales = Matrix<float>(layout.rows, layout.per_row),
             .zeros = format.symmetric ? Matrix<std::uint8_t>()
                                       : Matrix<std::uint8_t>(layout.rows, layout.per_row)},
            {},
            {}};
}

void keep_grids(const GridTable& grids, EncodedWeight& out) {
    std::copy(grids.scales.values().begin(), grids.scales.values().end(),
              out.encoding.scales.values().begin());
    std::transform(grids.zeros.values().begin(),
                   out.format.symmetric ? grids.zeros.values().begin() : grids.zeros.values().end(),
                   out.encoding.zeros.values().begin(),
                   [](float zero) { return static_cast<std::uint8_t>(zero); });
}

}  // namespace assay
