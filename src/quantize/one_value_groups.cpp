#include "quantize/one_value_groups.h"

#include <algorithm>
#include <cmath>
#include <variant>

#include "base/checked.h"
#include "compute/cpu/weight_kernels.h"

namespace assay {
namespace {

// How many of the weights lie beyond `limit`, upwards or downwards.
std::int64_t count_above(std::span<const float> w, float limit) {
    std::int32_t count = 0;
    for (float x : w) count += x > limit ? 1 : 0;
    return count;
}
std::int64_t count_below(std::span<const float> w, float limit) {
    std::int32_t count = 0;
    for (float x : w) count += x < limit ? 1 : 0;
    return count;
}

bool one_value_sets(std::span<const float> w, float low, float high, bool symmetric) {
    const float lo = std::min(0.0f, low), hi = std::max(0.0f, high);
    if (w.size() < 2 || lo == hi) return false;
    if (symmetric) {
        const float half = std::max(-lo, hi) / 2;
        return count_above(w, half) + count_below(w, -half) == 1;
    }
    const float middle = lo / 2 + hi / 2;
    return count_above(w, middle) == 1 || count_below(w, middle) == 1;
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
    const auto per_row = static_cast<std::size_t>(ceil_div(panel.w.cols(), width_));
    low_.resize(per_row);
    high_.resize(per_row);
    for (std::int64_t r = 0; r < panel.w.rows(); ++r) {
        const auto row = panel.w.row(r);
        kernels.ranges(row.data(), panel.w.cols(), width_, low_.data(), high_.data());
        for (std::size_t g = 0; g < per_row; ++g) {
            const std::size_t first = g * static_cast<std::size_t>(width_);
            const auto group = row.subspan(first, std::min<std::size_t>(width_, row.size() - first));
            groups_.of_one_value += one_value_sets(group, low_[g], high_[g], symmetric_) ? 1 : 0;
        }
    }
    groups_.groups += panel.w.rows() * static_cast<std::int64_t>(per_row);
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
