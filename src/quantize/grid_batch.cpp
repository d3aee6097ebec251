#include "quantize/grid_batch.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "number/int_grid.h"

namespace assay {
namespace {

compute::GridRule rule_of(const IntFormat& format) {
    const auto top = static_cast<float>(format.top());
    return {.top = top,
            .steps = format.symmetric ? (top - 1) / 2 : top,
            .symmetric = format.symmetric,
            .rounding = format.scale == ScaleType::kF16    ? compute::ScaleRounding::kF16
                        : format.scale == ScaleType::kBf16 ? compute::ScaleRounding::kBf16
                                                           : compute::ScaleRounding::kNone,
            .smallest = stored_scale(std::numeric_limits<float>::denorm_min(), format.scale)};
}

// One group after the other: int_grid() throws where a scale overflows, or knows a way out.
void make_carefully(const IntFormat& format, std::span<const float> low, std::span<const float> high,
                    const compute::Grids& out) {
    for (std::size_t i = 0; i < low.size(); ++i) {
        const IntGrid grid = int_grid(format, low[i], high[i]);
        const bool zeros = grid.scale == 0;
        const float inverse =
            zeros ? 0.0f : std::min(1 / grid.scale, std::numeric_limits<float>::max());
        const auto steps = [&](float w) {
            return std::clamp(std::nearbyint(w * inverse), -grid.zero, grid.top - grid.zero);
        };
        out.scale[i] = grid.scale;
        out.inverse[i] = inverse;
        out.least[i] = zeros ? 0.0f : steps(low[i]);
        out.most[i] = zeros ? 0.0f : steps(high[i]);
        out.clamps[i / compute::kLanes] = 0xffff;
    }
}

}  // namespace

void GridBatch::make(const IntFormat& format, std::span<const float> low, std::span<const float> high) {
    constexpr std::size_t kLanes = compute::kLanes;
    if (low.size() != high.size()) throw InvalidArgument("a low and a high are expected for each group");
    size_ = low.size();
    const std::size_t whole = (size_ + kLanes - 1) / kLanes * kLanes, rest = size_ / kLanes * kLanes;
    values_.resize(4 * whole);
    clamps_.resize(whole / kLanes);
    float* const v = values_.data();
    grids_ = {v, v + whole, v + 2 * whole, v + 3 * whole, clamps_.data()};
    const compute::WeightKernels& kernels = compute::weight_kernels();
    const compute::GridRule rule = rule_of(format);
    bool good =
        kernels.make_grids(&rule, low.data(), high.data(), static_cast<std::int64_t>(rest), &grids_);
    if (rest < size_) {
        float lows[kLanes] = {}, highs[kLanes] = {};
        std::copy(low.begin() + static_cast<std::ptrdiff_t>(rest), low.end(), lows);
        std::copy(high.begin() + static_cast<std::ptrdiff_t>(rest), high.end(), highs);
        const compute::Grids last{v + rest, v + whole + rest, v + 2 * whole + rest, v + 3 * whole + rest,
                                  clamps_.data() + rest / kLanes};
        good = kernels.make_grids(&rule, lows, highs, kLanes, &last) && good;
    }
    if (!good) make_carefully(format, low, high, grids_);
}

}  // namespace assay
