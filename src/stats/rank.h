// Ranks and rank correlation.
#pragma once

#include <optional>
#include <span>
#include <vector>

namespace assay {

// The rank of each value, 1 for the smallest; equal values share the mean of their ranks. Throws NumericError
// for NaN.
std::vector<double> average_ranks(std::span<const double> values);

// Spearman's ρ: Pearson's correlation of the average ranks, from -1 to 1.
//   ρ = Σ (r_i - r̄)(s_i - s̄) / sqrt(Σ (r_i - r̄)² · Σ (s_i - s̄)²)
// None where it is not defined: fewer than two pairs, or all values of one side equal.
// Throws InvalidArgument where the lengths differ, NumericError for NaN.
// Source: Spearman 1904; ties by mid-ranks as in Kendall 1945.
std::optional<double> spearman(std::span<const double> x, std::span<const double> y);

}  // namespace assay
