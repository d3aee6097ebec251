// The integer grids of many groups at once, for the vector kernels.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compute/cpu/weight_kernels.h"
#include "number/int_format.h"

namespace assay {

// The grids of int_grid(), group by group: scales and zero points are its own, bit for bit. A weight is
// rounded to clamp(round(w · inverse), least, most) · scale, the steps from the zero point; least and most are
// the first and the last code, or what low and high round to where that is nearer: weights outside of [low,
// high] are rounded as if they had been clipped first.
// Rounding by w · inverse, where int_grid.h divides, moves no weight but those within an f32 rounding of the
// middle between two numbers, which are as far from both (and weights below 1e-38).
class GridBatch {
  public:
    // Shape: low, high [groups], the ranges of the groups' weights.
    // Throws: NumericError as int_grid(); InvalidArgument where the shapes differ.
    void make(const IntFormat& format, std::span<const float> low, std::span<const float> high);

    std::size_t size() const { return size_; }
    const compute::Grids& grids() const { return grids_; }
    std::span<const std::uint16_t> clamps() const { return clamps_; }

  private:
    std::size_t size_ = 0;
    std::vector<float> values_;          // all below, one behind the other
    std::vector<std::uint16_t> clamps_;  // a bit a group
    compute::Grids grids_;
};

}  // namespace assay
