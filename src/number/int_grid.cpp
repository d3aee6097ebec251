#include "number/int_grid.h"

#include <array>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "tensor/float16.h"

namespace assay {
namespace {

constexpr float kSmallestF16 = 0x1.0p-24f;
constexpr std::int64_t kTaskElements = 1 << 15;

struct ValueRange {
    float low = std::numeric_limits<float>::infinity();
    float high = -std::numeric_limits<float>::infinity();
    float poison = 0;  // becomes NaN with the first NaN or Inf

    void add(float x) {
        low = std::min(low, x);
        high = std::max(high, x);
        poison += x - x;
    }
    void add(const ValueRange& other) {
        low = std::min(low, other.low);
        high = std::max(high, other.high);
        poison += other.poison;
    }
};

// Independent lanes, because compilers must not reorder one running float minimum into vector operations.
ValueRange value_range(std::span<const float> w) {
    constexpr std::size_t kLanes = 16;
    std::array<float, kLanes> low, high, poison;
    low.fill(std::numeric_limits<float>::infinity());
    high.fill(-std::numeric_limits<float>::infinity());
    poison.fill(0);
    std::size_t i = 0;
    for (; i + kLanes <= w.size(); i += kLanes) {
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
            const float x = w[i + lane];
            low[lane] = std::min(low[lane], x);
            high[lane] = std::max(high[lane], x);
            poison[lane] += x - x;
        }
    }
    ValueRange range;
    for (std::size_t lane = 0; lane < kLanes; ++lane)
        range.add(ValueRange{low[lane], high[lane], poison[lane]});
    for (; i < w.size(); ++i) range.add(w[i]);
    return range;
}

// The nearest number of the scale's type; positive stays positive; overflow becomes infinity.
float stored_scale(float scale, ScaleType type) {
    if (type == ScaleType::kF16) return std::max(round_to_f16(scale), kSmallestF16);
    return std::max(scale, std::numeric_limits<float>::denorm_min());
}

std::string place(std::int64_t row, std::int64_t column) {
    return "weight at row " + std::to_string(row) + ", column " + std::to_string(column);
}

[[noreturn]] void report_non_finite(std::span<const float> w, std::int64_t row, std::int64_t first_column) {
    const auto bad = std::find_if(w.begin(), w.end(), [](float x) { return !std::isfinite(x); });
    throw NumericError(
        place(row, first_column + (bad - w.begin())) + " is " + (std::isnan(*bad) ? "NaN" : "infinite") +
        ": finite numbers are expected; repair the model file or leave this linear unquantized");
}

IntGrid grid_of_group(std::span<const float> w, const NumberFormat& format, std::int64_t row,
                      std::int64_t first_column) {
    const ValueRange range = value_range(w);
    if (std::isnan(range.poison)) report_non_finite(w, row, first_column);
    try {
        return int_grid(format, range.low, range.high);
    } catch (const NumericError& error) {
        throw NumericError("group beginning with the " + place(row, first_column) + ": " + error.what());
    }
}

IntGrid grid_of_tensor(MatrixView<const float> w, const NumberFormat& format, std::int64_t grain,
                       ThreadPool& pool) {
    std::vector<ValueRange> ranges(static_cast<std::size_t>(w.rows()));
    parallel_for(pool, w.rows(), grain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t r = begin; r < end; ++r) {
            const ValueRange range = value_range(w.row(r));
            if (std::isnan(range.poison)) report_non_finite(w.row(r), r, 0);
            ranges[static_cast<std::size_t>(r)] = range;
        }
    });
    ValueRange all;
    for (const ValueRange& range : ranges) all.add(range);
    return int_grid(format, all.low, all.high);
}

}  // namespace

IntGrid int_grid(const NumberFormat& format, float low, float high) {
    const auto top = static_cast<float>(format.top());
    const float middle = (top + 1) / 2;
    const float lo = std::min(0.0f, low), hi = std::max(0.0f, high);
    const float range = format.symmetric ? std::max(-lo, hi) : hi - lo;
    if (range == 0) return {0, format.symmetric ? middle : 0.0f, top};

    const float steps = format.symmetric ? middle - 1 : top;
    float divisor = low == high ? 1.0f : steps;
    float scale = stored_scale(range / divisor, format.scale);
    if (!std::isfinite(scale) && divisor != steps) {
        divisor = steps;
        scale = stored_scale(range / divisor, format.scale);
    }
    if (!std::isfinite(scale * divisor)) {  // the largest value on the grid
        throw NumericError(
            format.scale == ScaleType::kF16
                ? "weights from " + std::to_string(low) + " to " + std::to_string(high) +
                      " need a scale above 65504, the largest f16; use (scale=f32), more bits or leave this "
                      "linear unquantized"
                : "the range of the weights overflows f32; leave this linear unquantized");
    }
    // 0 - lo, not -lo: the zero point must not become -0.
    const float zero = format.symmetric ? middle : std::min(std::nearbyint((0.0f - lo) / scale), top);
    return {scale, zero, top};
}

void for_each_group(MatrixView<const float> w, const NumberFormat& format, ThreadPool& pool,
                    const std::function<void(const IntGroup&)>& visit) {
    const GroupLayout layout = group_layout(format, w.rows(), w.cols());
    if (layout.columns == 0) return;
    const std::int64_t grain = std::max<std::int64_t>(1, kTaskElements / w.cols());
    const bool shared = format.granularity == Granularity::kTensor;
    const IntGrid shared_grid = shared ? grid_of_tensor(w, format, grain, pool) : IntGrid{};
    parallel_for(pool, w.rows(), grain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t r = begin; r < end; ++r) {
            for (std::int64_t g = 0; g < layout.per_row; ++g) {
                const std::int64_t first = g * layout.columns;
                const std::int64_t columns = std::min(layout.columns, w.cols() - first);
                const auto group =
                    w.row(r).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(columns));
                visit({.row = r,
                       .index = g,
                       .first_column = first,
                       .columns = columns,
                       .grid = shared ? shared_grid : grid_of_group(group, format, r, first)});
            }
        }
    });
}

}  // namespace assay
