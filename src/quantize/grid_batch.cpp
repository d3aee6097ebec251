#include "quantize/grid_batch.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "number/int_grid.h"

namespace assay {
namespace {

// The smallest positive scale. Found once: it takes as long as the grids of many groups.
float smallest_scale(ScaleType type) {
    constexpr float kLeast = std::numeric_limits<float>::denorm_min();
    static const float f16 = stored_scale(kLeast, ScaleType::kF16),
                       bf16 = stored_scale(kLeast, ScaleType::kBf16);
    return type == ScaleType::kF16 ? f16 : type == ScaleType::kBf16 ? bf16 : kLeast;
}

compute::GridRule rule_of(const IntFormat& format) {
    const auto top = static_cast<float>(format.top());
    return {.top = top,
            .steps = format.symmetric ? (top - 1) / 2 : top,
            .symmetric = format.symmetric,
            .rounding = format.scale == ScaleType::kF16    ? compute::ScaleRounding::kF16
                        : format.scale == ScaleType::kBf16 ? compute::ScaleRounding::kBf16
                                                           : compute::ScaleRounding::kNone,
            .smallest = smallest_scale(format.scale)};
}

std::size_t rounded_up(std::size_t count) {
    constexpr std::size_t kLanes = compute::kLanes;
    return (count + kLanes - 1) / kLanes * kLanes;
}

// One group after the other: int_grid() throws where a scale overflows, or knows a way out.
void make_carefully(const IntFormat& format, const float* low, const float* high, std::size_t count,
                    const compute::Grids& out) {
    for (std::size_t i = 0; i < count; ++i) {
        const IntGrid grid = int_grid(format, low[i], high[i]);
        const bool zeros = grid.scale == 0;
        const float inverse = zeros ? 0.0f : std::min(1 / grid.scale, std::numeric_limits<float>::max());
        out.scale[i] = grid.scale;
        out.inverse[i] = inverse;
        out.least[i] = zeros ? 0.0f : std::min(0.0f, std::max(-grid.zero, std::nearbyint(low[i] * inverse)));
        out.most[i] =
            zeros ? 0.0f : std::max(0.0f, std::min(grid.top - grid.zero, std::nearbyint(high[i] * inverse)));
        out.clamps[i / compute::kLanes] = 0xffff;
    }
}

}  // namespace

void make_grids(const IntFormat& format, const float* low, const float* high, std::size_t count,
                const compute::Grids& out) {
    const compute::GridRule rule = rule_of(format);
    const std::size_t room = rounded_up(count);
    if (!compute::weight_kernels().make_grids(&rule, low, high, static_cast<std::int64_t>(room), &out))
        make_carefully(format, low, high, count, out);
}

void GridBatch::make(const IntFormat& format, std::span<const float> low, std::span<const float> high) {
    if (low.size() != high.size()) throw InvalidArgument("a low and a high are expected for each group");
    size_ = low.size();
    room_ = rounded_up(size_);
    values_.resize(6 * room_);
    clamps_.resize(room_ / compute::kLanes);
    float *const lows = values_.data(), *const highs = lows + room_;
    std::fill(std::copy(low.begin(), low.end(), lows), lows + room_, 0.0f);
    std::fill(std::copy(high.begin(), high.end(), highs), highs + room_, 0.0f);
    make_grids(format, lows, highs, size_, grids());
}

compute::Grids GridBatch::grids() {
    float* const v = values_.data() + 2 * room_;
    return {v, v + room_, v + 2 * room_, v + 3 * room_, clamps_.data()};
}

}  // namespace assay
