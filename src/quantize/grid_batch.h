// The integer grids of many groups at once, for the vector kernels.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compute/cpu/weight_kernels.h"
#include "number/int_format.h"

namespace assay {

// The grids of int_grid() for groups whose weights lie in [low, high]: scales and zero points are its own,
// bit for bit. A weight is rounded to clamp(round(w · inverse), least, most) · scale, the steps from the zero
// point; least <= 0 and most >= 0 are the first and the last code, or what low and high round to where that
// is nearer to 0: weights beyond the range are rounded as if they had been clipped to it. Rounding by w ·
// inverse, where int_grid.h divides, moves no weight but those within an f32 rounding of the middle between
// two numbers, which are as far from both (and weights below 1e-38). Shape: low, high and the arrays of `out`
// have room for `count` groups, rounded up to a multiple of compute::kLanes. Throws: NumericError as
// int_grid().
void make_grids(const IntFormat& format, const float* low, const float* high, std::size_t count,
                const compute::Grids& out);

// The same with room of its own.
class GridBatch {
  public:
    // Throws: NumericError as int_grid(); InvalidArgument where the shapes differ.
    void make(const IntFormat& format, std::span<const float> low, std::span<const float> high);

    std::size_t size() const { return size_; }
    compute::Grids grids();  // until the next call of make()

  private:
    std::size_t size_ = 0, room_ = 0;
    std::vector<float> values_;          // low, high and the grids' four, one behind the other
    std::vector<std::uint16_t> clamps_;  // a bit a group
};

}  // namespace assay
