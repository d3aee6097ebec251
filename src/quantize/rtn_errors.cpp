#include "quantize/rtn_errors.h"

#include <algorithm>

namespace assay {

RtnErrorSums::RtnErrorSums(const IntFormat& format, std::int64_t cols)
    : format_(format), width_(format.tile.columns == 0 ? cols : std::min(format.tile.columns, cols)) {}

void RtnErrorSums::add(const RowPanel& panel) {
    const compute::WeightKernels& kernels = compute::weight_kernels();
    const std::int64_t cols = panel.w.cols();
    const PanelRanges::Ranges& ranges = ranges_of(panel, width_);
    batch_.make(format_, ranges.low, ranges.high);
    const compute::Grids grids = batch_.grids();
    for (std::int64_t r = 0; r < panel.w.rows(); ++r)
        kernels.row_errors(panel.w.row(r).data(), cols, width_, &grids, r * ranges.per_row, &errors_);
    count_ += panel.w.rows() * cols;
}

void RtnErrorSums::merge(const RtnErrorSums& other) {
    errors_.squares += other.errors_.squares;
    errors_.sizes += other.errors_.sizes;
    errors_.largest = std::max(errors_.largest, other.errors_.largest);
    count_ += other.count_;
}

ReconstructionError RtnErrorSums::error(double weight_squares) const {
    return error_of({.error2 = errors_.squares,
                     .weight2 = weight_squares,
                     .abs_error = errors_.sizes,
                     .max_abs = static_cast<double>(errors_.largest),
                     .count = count_});
}

}  // namespace assay
