// Clipping: rounding in a narrower range, which costs the few weights beyond it and serves all others.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/parallel.h"
#include "compute/cpu/weight_kernels.h"
#include "number/group_walk.h"
#include "number/number_format.h"
#include "tensor/matrix.h"

namespace assay {

inline constexpr float kClipRatios[] = {1.0f,  0.95f, 0.9f,  0.85f, 0.8f,  0.75f, 0.7f,
                                        0.65f, 0.6f,  0.55f, 0.5f,  0.45f, 0.4f};
inline constexpr std::size_t kClipRatioCount = std::size(kClipRatios);

// Rounds clamp(w, r·min(0, low), r·max(0, high)) to nearest; low and high are those of the weights that share
// a scale, and r, for each scale, is the one of kClipRatios with the least Σ m (w - rounded)², the largest of
// equals. m is a weight of its column: 1 where `column_weights` is empty; Σ x² of the input channel makes the
// sum the squared error of the linear's output as far as its inputs are uncorrelated.
// Shape: w [out, in], column_weights [in] or empty.
// Accuracy: integer formats with scales of one row compare sums with a relative error of 1e-6.
// Throws: as rtn(); InvalidArgument for column weights of another number.
// Source: the clipping search of Lin et al. 2023, "AWQ", section 3.2, on the weights alone.
void round_clipped(MatrixView<float> w, const NumberFormat& format, std::span<const double> column_weights,
                   ThreadPool& pool);
void round_clipped(MatrixView<float> w, const NumberFormat& format, ThreadPool& pool);

// The clamp alone, without the rounding: out = clamp(w, r·min(0, low), r·max(0, high)). Throws as
// round_clipped().
void clip_groups(MatrixView<const float> w, const NumberFormat& format,
                 std::span<const double> column_weights, MatrixView<float> out, ThreadPool& pool);

// Rounds clamp(w, -threshold, threshold) to nearest. Throws: as rtn(); InvalidArgument unless threshold >= 0.
void round_clipped_at(MatrixView<float> w, const NumberFormat& format, float threshold, ThreadPool& pool);

// The smallest v with |w| <= v for at least a share p of the weights, as MagnitudeQuantiles: what
// round_clipped_at() takes for "the percentile 100 p". Throws InvalidArgument unless 0 < p <= 1.
float clip_threshold(MatrixView<const float> w, double p, ThreadPool& pool);

// Whether the scales of a format are of integers and serve one row each.
bool clips_by_row(const NumberFormat& format);

// Column weights m for inputs with these Σ x² [in]: as shares of the largest, 0 where none is above 0. One
// factor for all columns changes no choice, and so no f32 sum overflows.
// Throws NumericError for one that is negative or not finite.
std::vector<float> energy_shares(std::span<const double> energies);

// errors[i] = Σ m (w - rounded)² of one group of weights of a row in the i-th of compute::kLanes grids, those
// of weights from low[i] to high[i], where w is clamped to before; a range from 0 to 0 gives Σ m w².
// column_weights of its columns, or null. Throws NumericError as int_grid().
void candidate_errors(const IntFormat& format, std::span<const float> group, const float* low,
                      const float* high, const float* column_weights, double* errors);

// The best clip of one group of weights of a row.
struct BestClip {
    std::size_t ratio = 0;           // index into kClipRatios
    double errors[compute::kLanes];  // Σ m (w - rounded)² with each ratio, kClipRatioCount of them
    double squares = 0;              // Σ m w²
    float low = 0, high = 0;         // the weights' range when it is clipped so
    float clip_low = 0, clip_high = 0;
};

// `range` of the group; column_weights of its columns, or null. Throws NumericError as int_grid().
BestClip best_clip(const IntFormat& format, std::span<const float> group, const ValueRange& range,
                   const float* column_weights);

}  // namespace assay
