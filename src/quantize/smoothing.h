// SmoothQuant's scales: how much of the inputs' range moves into the weights, channel by channel.
#pragma once

#include <span>
#include <vector>

namespace assay {

// Magnitudes of weights below this share of the largest channel's count as that: s stays finite.
inline constexpr double kLeastWeightShare = 1e-5;

// s_c = max|x_c|^α / max|w_c|^(1-α): x_c is divided by it, the weights' column multiplied. 1 for a channel
// that was always 0, of which nothing is known, and where all weights are 0.
// Shape: input_max, weight_max [in], magnitudes; returns [in], positive and finite.
// Throws: InvalidArgument for different sizes, numbers that are negative, NaN or infinite, and α outside
// [0, 1].
// Source: Xiao et al. 2022, "SmoothQuant", equation 4.
std::vector<float> smoothing_scales(std::span<const float> input_max, std::span<const float> weight_max,
                                    double alpha);

// How hard an input is to round with one scale: max_c / mean_c of its channels' largest magnitudes; 1 where
// all are alike, or 0.
double max_over_mean(std::span<const float> channel_max);

}  // namespace assay
