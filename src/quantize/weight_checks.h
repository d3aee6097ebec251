// What can be seen of a matrix without any text: a grid that its weights lie on, and values that number types
// cannot hold.
#pragma once

#include <cstdint>
#include <optional>

#include "base/parallel.h"
#include "number/number_format.h"
#include "tensor/matrix.h"

namespace assay {

// Weights w = offset + step·q, q in [0, 2^bits), offset and step of each group of a row.
struct WeightGrid {
    int bits = 0;             // the fewest that serve kGridShare of the groups
    std::int64_t group = 0;   // input channels that share a grid; 0: the whole row
    double share = 0;         // of the groups that lie on such a grid
    bool holds_zero = false;  // offset / step is whole in kGridShare of the groups
};

inline constexpr double kGridShare = 0.99;
inline constexpr int kMostGridBits = 8;

// The widest of groups of a whole row, 128, 64 and 32 with a grid of at most kMostGridBits in kGridShare of
// the groups that hold more than two values; none where there is none. Values may be off the grid by a fifth
// of a step, as storing them in 16 bits moves them: of groups of 32 unrelated numbers fewer than one in 10^10
// passes.
// Shape: w [out, in]; groups that are cut short by the row's end are left out.
std::optional<WeightGrid> find_grid(MatrixView<const float> w, ThreadPool& pool);

// Counts of what rounds badly or not at all.
struct WeightNumerics {
    std::int64_t dead_outputs = 0;      // rows of zeros
    std::int64_t dead_inputs = 0;       // columns of zeros
    std::int64_t f16_overflows = 0;     // |w| that f16 rounds to infinity: from 65520
    std::int64_t groups = 0;            // of an integer format with f16 scales, else 0
    std::int64_t subnormal_scales = 0;  // of these, 0 < scale < 2^-14: with fewer than 11 significant bits
    std::int64_t zero_groups = 0;       // of these, of zeros only
};

// Throws: NumericError for NaN, Inf, or a scale that overflows, naming row and column.
WeightNumerics check_numerics(MatrixView<const float> w, const NumberFormat& format, ThreadPool& pool);

}  // namespace assay
