#include "compute/batch.h"

#include <algorithm>

#include "base/error.h"

namespace assay::compute {

Batch::Batch(std::vector<std::int64_t> window_rows) : window_rows_(std::move(window_rows)), first_rows_{0} {
    for (std::int64_t rows : window_rows_) {
        if (rows < 0) throw InvalidArgument("a window of a negative number of rows");
        const std::int64_t begin = first_rows_.back();
        for (std::int64_t row = 0; row < rows; row += kTileRows) {
            tiles_.push_back({begin + row, std::min(kTileRows, rows - row)});
        }
        first_rows_.push_back(begin + rows);
    }
}

}  // namespace assay::compute
