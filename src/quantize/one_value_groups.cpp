#include "quantize/one_value_groups.h"

#include <algorithm>
#include <variant>

#include "compute/cpu/weight_kernels.h"

namespace assay {
namespace {

bool one_value_sets(const compute::WeightKernels& kernels, std::span<const float> w, float low, float high,
                    bool symmetric) {
    const float lo = std::min(0.0f, low), hi = std::max(0.0f, high);
    if (w.size() < 2 || lo == hi) return false;
    const float half = std::max(-lo, hi) / 2, middle = lo / 2 + hi / 2;
    return kernels.one_beyond(w.data(), std::ssize(w), symmetric ? -half : middle, symmetric ? half : middle,
                              symmetric);
}

}  // namespace

OneValueSums::OneValueSums(const NumberFormat& format, std::int64_t cols) {
    const GroupLayout layout =
        std::visit([&](const auto& family) { return group_layout(family, 2, cols); }, format);
    if (layout.height == 1) width_ = layout.columns;
    const auto* integers = std::get_if<IntFormat>(&format);
    symmetric_ = integers == nullptr || integers->symmetric;
}

void OneValueSums::add(const RowPanel& panel) {
    if (width_ == 0) return;
    const compute::WeightKernels& kernels = compute::weight_kernels();
    const PanelRanges::Ranges& ranges = ranges_of(panel, width_);
    const auto width = static_cast<std::size_t>(width_);
    std::size_t g = 0;
    for (std::int64_t r = 0; r < panel.w.rows(); ++r) {
        const auto row = panel.w.row(r);
        for (std::size_t first = 0; first < row.size(); first += width, ++g) {
            const auto group = row.subspan(first, std::min(width, row.size() - first));
            const bool sets = one_value_sets(kernels, group, ranges.low[g], ranges.high[g], symmetric_);
            groups_.of_one_value += sets ? 1 : 0;
        }
    }
    groups_.groups += static_cast<std::int64_t>(g);
}

void OneValueSums::merge(const OneValueSums& other) {
    groups_.groups += other.groups_.groups;
    groups_.of_one_value += other.groups_.of_one_value;
}

std::optional<OneValueGroups> OneValueSums::groups() const {
    if (width_ == 0) return std::nullopt;
    return groups_;
}

}  // namespace assay
