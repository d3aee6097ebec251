// The integer grids of a weight's groups: from their ranges, or from the clipped range that rounds best.
#pragma once

#include <span>

#include "base/parallel.h"
#include "number/int_grid.h"
#include "quantize/encoded_weight.h"
#include "tensor/matrix.h"

namespace assay {

// int_grid() of the values' range. Where `importance` is given (a weight for each value, not negative): of
// the range times the one of kClipRatios with the least Σ importance (w - rounded)², the largest of equals.
// Throws: NumericError as int_grid(); the values must be finite.
// Source: the clipping search of Lin et al. 2023, "AWQ", section 3.2.
IntGrid choose_grid(const IntFormat& format, std::span<const float> values,
                    std::span<const double> importance);

// One grid for each scale.
struct GridTable {
    Matrix<float> scales, zeros;  // [rows, per_row] of group_layout
};

// choose_grid() for each group of the columns' own order; importance of each column [in], or empty.
// Shape: w [out, in]. Throws: NumericError naming row and column for NaN, Inf or a scale that overflows.
GridTable grids_of(MatrixView<const float> w, const IntFormat& format, std::span<const double> importance,
                   ThreadPool& pool);

// All codes, scales and zeros 0; columns in their own groups.
EncodedWeight empty_weight(const IntFormat& format, std::int64_t rows, std::int64_t cols);

// The weight's scales, and zeros where its format has any, become these. Shape as grids_of() makes it.
void keep_grids(const GridTable& grids, EncodedWeight& out);

}  // namespace assay
