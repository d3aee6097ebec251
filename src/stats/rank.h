// Correlation of values, and of their ranks.
#pragma once

#include <optional>
#include <span>
#include <vector>

namespace assay {

// The rank of each value, 1 for the smallest; equal values share the mean of their ranks. Throws NumericError
// for NaN.
std::vector<double> average_ranks(std::span<const double> values);

// Pearson's r, from -1 to 1; of equal lists exactly 1.
//   r = Σ (x_i - x̄)(y_i - ȳ) / sqrt(Σ (x_i - x̄)² · Σ (y_i - ȳ)²)
// None where it is not defined: fewer than two pairs, or all values of one side equal.
// Throws InvalidArgument where the lengths differ, NumericError for NaN or Inf.
std::optional<double> pearson(std::span<const double> x, std::span<const double> y);

// Spearman's ρ: Pearson's correlation of the average ranks. None where that is.
// Throws InvalidArgument where the lengths differ, NumericError for NaN.
// Source: Spearman 1904; ties by mid-ranks as in Kendall 1945.
std::optional<double> spearman(std::span<const double> x, std::span<const double> y);

}  // namespace assay
