// Walks a matrix group by group with each group's range of values, in parallel over rows.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>

#include "base/parallel.h"
#include "number/tile.h"
#include "tensor/matrix.h"

namespace assay {

struct ValueRange {
    float low = std::numeric_limits<float>::infinity();
    float high = -std::numeric_limits<float>::infinity();

    void add(const ValueRange& other) {
        low = std::min(low, other.low);
        high = std::max(high, other.high);
    }
    float largest_magnitude() const { return std::max(-low, high); }
};

// The weights of one row that share a scale.
struct Group {
    std::int64_t row = 0;
    std::int64_t scale_row = 0, scale_column = 0;  // place of the scale in [rows, per_row] of the layout
    std::int64_t first_column = 0;
    std::int64_t columns = 0;
    ValueRange range;  // of all weights that share the scale, those of other rows too
};

// Calls visit for every group of w. Rows are visited in parallel, the groups of one row in order; visit may
// overwrite the group's own weights.
//
// Shape: w [out, in]; layout of the same matrix.
// Throws: NumericError naming row and column for NaN or Inf; a NumericError of visit with the place of the
// group put before its text.
void for_each_group(MatrixView<const float> w, const GroupLayout& layout, ThreadPool& pool,
                    const std::function<void(const Group&)>& visit);

// The range of a whole matrix; that of no weights for one without elements. Throws NumericError naming row
// and column for NaN or Inf.
ValueRange value_range(MatrixView<const float> w, ThreadPool& pool);

// So many rows make a task of a fixed size, whatever the number of threads.
std::int64_t rows_of_task(std::int64_t columns);

}  // namespace assay
