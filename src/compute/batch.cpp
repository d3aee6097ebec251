#include "compute/batch.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace assay::compute {

Batch::Batch(std::vector<std::int64_t> window_rows) : window_rows_(std::move(window_rows)), first_rows_{0} {
    for (std::int64_t rows : window_rows_) {
        if (rows < 0) throw InvalidArgument("a window of a negative number of rows");
        first_rows_.push_back(first_rows_.back() + rows);
    }
}

Batch::Batch(std::vector<std::int64_t> window_rows, std::span<const std::int64_t> continued)
    : Batch(std::move(window_rows)) {
    if (std::ssize(continued) != windows())
        throw InvalidArgument("a batch needs to know of each window which one it continues");
    if (std::all_of(continued.begin(), continued.end(), [](std::int64_t w) { return w < 0; })) return;
    for (std::int64_t w = 0; w < windows(); ++w) {
        const std::int64_t before = continued[static_cast<std::size_t>(w)];
        if (before >= w) throw InvalidArgument("a window can only continue one that comes before it");
        std::vector<std::int64_t> rows;
        if (before >= 0) {
            rows = rows_before_[static_cast<std::size_t>(before)];
            const std::size_t known = rows.size();
            rows.resize(known + static_cast<std::size_t>(window_rows_[static_cast<std::size_t>(before)]));
            std::iota(rows.begin() + static_cast<std::ptrdiff_t>(known), rows.end(),
                      window_first_row(before));
        }
        rows_before_.push_back(std::move(rows));
    }
}

}  // namespace assay::compute
