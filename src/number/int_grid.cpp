#include "number/int_grid.h"

#include <string>

#include "base/error.h"

namespace assay {

IntGrid int_grid(const IntFormat& format, float low, float high) {
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

}  // namespace assay
