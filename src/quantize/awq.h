// AWQ: input channels that matter more are scaled up before rounding, so that less of them is lost.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "quantize/gptq.h"

namespace assay {

// A choice of scales for an input's channels.
struct AwqScales {
    double alpha = 0;
    std::vector<float> scales;
};

inline constexpr int kAwqSteps = 20;

// s = x^α / √(max x^α · min x^α) for α = 0, 1/20, … 19/20, where x_c is √(Σ x_t²) of channel c, with those
// that share its scale. α = 0 is s = 1. Channels that were always 0 count as the smallest of the others.
// Shape: energy [in], Σ x² of each channel; rows [in], channels with the same row share one scale
// (model/folding.h), or empty: each has its own.
// Throws: NumericError for energy that is negative or not finite; InvalidArgument for another number of rows.
// Source: Lin et al. 2023, "AWQ", equations 4 and 5; the normalisation: its authors' code. They take the mean
// of |x| for x.
std::vector<AwqScales> awq_candidates(std::span<const double> energy, std::span<const std::int64_t> rows);

// What is rounded in the place of a weight and the statistics of its input.
struct ScaledLinear {
    Matrix<float> weight;  // w diag(s)
    InputFactor factor;    // of the input divided by s: rescaled()
};

// Shape: w [out, in], factor of the same in, scales [in]. Throws InvalidArgument where they do not fit.
ScaledLinear scaled_linear(MatrixView<const float> w, const InputFactor& factor,
                           std::span<const float> scales, ThreadPool& pool);

// How scaled weights are rounded.
struct AwqRounding {
    IntFormat format;
    bool clip = true;   // of to-nearest as round_clipped(), H_cc / s_c² its column weights; of gptq()
    bool gptq = false;  // by gptq(); else to nearest
    bool static_groups = false;  // of gptq()
};

// What each candidate costs a linear: tr(E (H + λI) Eᵀ), E = w - rounded(w diag(s)) diag(s)⁻¹, the weights
// rounded to nearest, clipped where the rounding clips; infinite where the scales make one of the format's
// overflow. For GPTQ and YAQA too: their own error on the inputs that they fit chooses no better.
// Shape: w [out, in]; factor and scales of the same in. Throws: as awq(); InvalidArgument for a factor that
// failed.
std::vector<double> awq_errors(MatrixView<const float> w, const InputFactor& factor,
                               std::span<const AwqScales> candidates, const AwqRounding& rounding,
                               ThreadPool& pool);

// Rounds w diag(s), s empty for 1, with the factor of inputs divided by s. Without clipping and with s = 1
// that is round to nearest, bit for bit. Where the factor failed w diag(s) is rounded to nearest, unclipped.
// error and rtn_error are tr(E (H + λI) Eᵀ) of E as above, the latter of w rounded to nearest unscaled.
// Shape: w [out, in], factor of the same in, scales [in] or empty. The same bits for any number of threads.
// Throws: NumericError as rtn(); InvalidArgument where shapes do not fit or the format cannot be.
GptqResult awq(MatrixView<const float> w, const InputFactor& factor, std::span<const float> scales,
               const AwqRounding& rounding, ThreadPool& pool);

}  // namespace assay
