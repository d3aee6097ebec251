#include "quantize/group_sweep.h"

#include <algorithm>

#include "base/checked.h"
#include "base/error.h"

namespace assay {
namespace {

constexpr std::size_t kBits = kSweepBits.size(), kSizes = kSweepGroups.size();
constexpr int kWholeRow = 40;  // a shift beyond any unit

IntFormat format_of(std::size_t bits, std::size_t size, bool symmetric) {
    return {.bits = kSweepBits[bits], .symmetric = symmetric, .tile = group_tile(kSweepGroups[size])};
}

// Groups of `size` hold 2^shift units.
int shift_of(std::size_t size) {
    int shift = 0;
    while (compute::kRowUnit << shift < kSweepGroups[size]) ++shift;
    return kSweepGroups[size] == 0 ? kWholeRow : shift;
}

}  // namespace

std::vector<IntFormat> group_sweep_formats() {
    std::vector<IntFormat> all;
    for (bool symmetric : {false, true}) {
        for (std::size_t size = 0; size < kSizes; ++size) {
            for (std::size_t bits = 0; bits < kBits; ++bits) all.push_back(format_of(bits, size, symmetric));
        }
    }
    return all;
}

GroupSweepSums::GroupSweepSums(std::int64_t cols) : cols_(cols), squares_(2 * kSizes * kBits) {}

void GroupSweepSums::add_errors(const RowPanel& panel, std::size_t size, const PanelRanges::Ranges& ranges,
                                bool symmetric) {
    compute::GridRow row{.shift = shift_of(size)};
    clamps_.clear();
    for (std::size_t bits = 0; bits < kBits; ++bits) {
        batches_[bits].make(format_of(bits, size, symmetric), ranges.low, ranges.high);
        row.grids[bits] = batches_[bits].grids();
        clamps_.resize(ranges.low.size() / compute::kLanes + 1);
        for (std::size_t i = 0; i * compute::kLanes < ranges.low.size(); ++i)
            clamps_[i] = static_cast<std::uint16_t>(clamps_[i] | row.grids[bits].clamps[i]);
    }
    row.clamps = clamps_.data();
    double* const sums = &squares_[((symmetric ? kSizes : 0) + size) * kBits];
    const std::int64_t units = ceil_div(cols_, compute::kRowUnit);
    for (std::int64_t r = 0; r < panel.w.rows(); ++r) {
        row.first = r * ranges.per_row;
        compute::weight_kernels().grid_errors(panel.w.row(r).data(), units, &row, sums);
    }
}

void GroupSweepSums::add(const RowPanel& panel) {
    // The finest first: the others are made of them.
    for (std::size_t size = 0; size < kSizes; ++size) {
        const std::int64_t width = kSweepGroups[size] == 0 ? cols_ : kSweepGroups[size];
        const PanelRanges::Ranges& ranges = ranges_of(panel, width);
        for (bool symmetric : {false, true}) add_errors(panel, size, ranges, symmetric);
    }
}

void GroupSweepSums::merge(const GroupSweepSums& other) {
    for (std::size_t i = 0; i < squares_.size(); ++i) squares_[i] += other.squares_[i];
}

}  // namespace assay
