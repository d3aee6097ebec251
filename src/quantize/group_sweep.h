// Round to nearest in every group size, symmetry and number of bits, from one look at the weights.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "number/int_format.h"
#include "quantize/grid_batch.h"
#include "quantize/row_scan.h"

namespace assay {

inline constexpr std::array<std::int64_t, 5> kSweepGroups = {32, 64, 128, 256, 0};  // 0: a whole row
inline constexpr std::array<int, compute::kGridsAtOnce> kSweepBits = {3, 4, 8};

// int3-g32, int4-g32, int8-g32, int3-g64, …, int8-channel, then the same symmetric; scales in f16.
std::vector<IntFormat> group_sweep_formats();

// Σ (w - rounded)² of all formats of group_sweep_formats(), in their order. Groups that the row's end cuts
// short have grids of their own, as in rtn().
// Accuracy: of a sum 1e-6; weights at the middle between two numbers of the grid may round to the other one
// than in rtn(), which is as far.
// Throws: NumericError as int_grid().
class GroupSweepSums {
  public:
    explicit GroupSweepSums(std::int64_t cols);

    void add(const RowPanel& panel);
    void merge(const GroupSweepSums& other);
    std::span<const double> squared_errors() const { return squares_; }

  private:
    void add_errors(const RowPanel& panel, std::size_t size, const PanelRanges::Ranges& ranges,
                    bool symmetric);

    std::int64_t cols_;
    std::vector<double> squares_;
    // Scratch: the grids of one size.
    std::array<GridBatch, kSweepBits.size()> batches_;
    std::vector<std::uint16_t> clamps_;
};

}  // namespace assay
