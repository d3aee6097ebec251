#include "quantize/weight_checks.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <vector>

#include "number/group_walk.h"
#include "number/int_grid.h"

namespace assay {
namespace {

constexpr float kF16Overflow = 65520.0f;
constexpr float kF16LeastNormal = 0x1p-14f;
constexpr double kGridTolerance = 0.2;  // of a step: bfloat16 moves the ends of a 6-bit grid by a sixteenth
constexpr int kMostSteps = (1 << kMostGridBits) - 1;

// The grid of one group.
struct GroupGrid {
    int bits = 0;
    bool holds_zero = false;
};

// rint() where round() would do: what lies half-way between two whole numbers is near neither.
bool near_whole(double steps) {
    return std::abs(steps - std::rint(steps)) <= kGridTolerance;
}

// Whether sorted, different values lie on a grid of a step near `step`, which is made better as they go by;
// the number of steps, or none.
std::optional<int> steps_of(const std::vector<double>& values, double step, double& refined) {
    double inverse = 1 / step;
    for (double v : values) {
        const double far = v - values.front();
        const double count = std::rint(far * inverse);
        if (count > kMostSteps || !near_whole(far * inverse)) return std::nullopt;
        if (count == 0) continue;
        step = far / count;
        inverse = count / far;
    }
    refined = step;
    return static_cast<int>(std::rint((values.back() - values.front()) * inverse));
}

std::vector<double> different_values(std::span<const float> group) {
    std::vector<float> in_order(group.begin(), group.end());
    std::sort(in_order.begin(), in_order.end());
    std::vector<double> sorted(in_order.begin(), std::unique(in_order.begin(), in_order.end()));
    const auto same = [](double a, double b) {
        return b - a <= 0x1p-22 * std::max(std::abs(a), std::abs(b));
    };
    sorted.erase(std::unique(sorted.begin(), sorted.end(), same), sorted.end());
    return sorted;
}

// The coarsest grid: its step is the smallest difference, or a half or third of that where no two
// neighbours on the grid occur. Groups of one or two values lie on any grid: zero bits.
std::optional<GroupGrid> grid_of(std::span<const float> group) {
    const std::vector<double> values = different_values(group);
    if (values.size() <= 2) return GroupGrid{.bits = 0, .holds_zero = true};
    double least = values[1] - values[0];
    for (std::size_t i = 2; i < values.size(); ++i) least = std::min(least, values[i] - values[i - 1]);
    for (int part = 1; part <= 3; ++part) {
        double step = 0;
        const std::optional<int> steps = steps_of(values, least / part, step);
        if (!steps) continue;
        int bits = 1;
        while ((1 << bits) <= *steps) ++bits;
        return GroupGrid{bits, near_whole(values.front() / step)};
    }
    return std::nullopt;
}

// Groups by the bits of their grids.
struct GridCounts {
    std::array<std::int64_t, kMostGridBits + 1> of_bits{};
    std::int64_t groups = 0;  // with more than two values
    std::int64_t with_zero = 0;

    std::int64_t on_grid() const {
        std::int64_t sum = 0;
        for (std::size_t b = 1; b < of_bits.size(); ++b) sum += of_bits[b];
        return sum;
    }
    bool may_pass(std::int64_t all) const {
        return static_cast<double>(groups - on_grid()) <= (1 - kGridShare) * static_cast<double>(all);
    }
};

void count_row(std::span<const float> row, std::int64_t group, GridCounts& counts) {
    const auto n = static_cast<std::size_t>(group);
    for (std::size_t first = 0; first + n <= row.size(); first += n) {
        const auto grid = grid_of(row.subspan(first, n));
        if (grid && grid->bits == 0) continue;
        ++counts.groups;
        if (!grid) continue;
        ++counts.of_bits[static_cast<std::size_t>(grid->bits)];
        counts.with_zero += grid->holds_zero ? 1 : 0;
    }
}

std::optional<WeightGrid> grid_in_groups(MatrixView<const float> w, std::int64_t group) {
    const std::int64_t all = w.rows() * (w.cols() / group);
    GridCounts counts;
    for (std::int64_t r = 0; r < w.rows(); ++r) {
        count_row(w.row(r), group, counts);
        if (!counts.may_pass(all)) return std::nullopt;
    }
    const auto groups = static_cast<double>(counts.groups);
    const double share = groups > 0 ? static_cast<double>(counts.on_grid()) / groups : 0;
    if (!(share >= kGridShare)) return std::nullopt;
    WeightGrid out{.bits = 0,
                   .group = group == w.cols() ? 0 : group,
                   .share = share,
                   .holds_zero = static_cast<double>(counts.with_zero) >= kGridShare * groups};
    for (std::int64_t served = 0; static_cast<double>(served) < kGridShare * groups;)
        served += counts.of_bits[static_cast<std::size_t>(++out.bits)];
    return out;
}

void count_dead(MatrixView<const float> w, WeightNumerics& out) {
    std::vector<bool> alive(static_cast<std::size_t>(w.cols()), false);
    for (std::int64_t r = 0; r < w.rows(); ++r) {
        bool row_alive = false;
        for (std::int64_t c = 0; c < w.cols(); ++c) {
            const float size = std::abs(w(r, c));
            if (size == 0) continue;
            row_alive = alive[static_cast<std::size_t>(c)] = true;
            out.f16_overflows += size >= kF16Overflow ? 1 : 0;
        }
        out.dead_outputs += row_alive ? 0 : 1;
    }
    out.dead_inputs = std::count(alive.begin(), alive.end(), false);
}

}  // namespace

std::optional<WeightGrid> find_grid(MatrixView<const float> w, ThreadPool& pool) {
    std::vector<std::int64_t> groups{w.cols()};
    for (std::int64_t group : {128, 64, 32}) {
        if (group < w.cols()) groups.push_back(group);
    }
    std::vector<std::optional<WeightGrid>> found(groups.size());
    pool.for_each(static_cast<std::int64_t>(groups.size()), [&](std::int64_t i) {
        const auto g = static_cast<std::size_t>(i);
        if (groups[g] > 0) found[g] = grid_in_groups(w, groups[g]);
    });
    const auto widest = std::find_if(found.begin(), found.end(), [](const auto& f) { return f.has_value(); });
    return widest == found.end() ? std::nullopt : *widest;
}

WeightNumerics check_numerics(MatrixView<const float> w, const NumberFormat& format, ThreadPool& pool) {
    value_range(w, pool);  // throws at NaN and Inf
    WeightNumerics out;
    count_dead(w, out);
    const auto* integers = std::get_if<IntFormat>(&format);
    if (integers == nullptr || integers->scale != ScaleType::kF16) return out;
    const GroupLayout layout = group_layout(*integers, w.rows(), w.cols());
    out.groups = layout.rows * layout.per_row;
    std::atomic<std::int64_t> subnormal = 0, zero = 0;
    for_each_group(w, layout, pool, [&](const Group& group) {
        if (group.row % layout.height != 0) return;
        const float scale = int_grid(*integers, group.range.low, group.range.high).scale;
        if (scale == 0) ++zero;
        if (scale > 0 && scale < kF16LeastNormal) ++subnormal;
    });
    out.subnormal_scales = subnormal;
    out.zero_groups = zero;
    return out;
}

}  // namespace assay
