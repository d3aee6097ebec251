// Exact quantiles of a list of numbers.
#pragma once

#include <span>
#include <vector>

namespace assay {

// The quantile at each of `probabilities` (0 to 1, any order), linear between the sorted values
// x_(1) ≤ … ≤ x_(n):
//   h = (n - 1)·p,  Q = x_(⌊h⌋+1) + (h - ⌊h⌋)·(x_(⌊h⌋+2) - x_(⌊h⌋+1))
// Throws InvalidArgument for an empty list or a probability outside [0, 1]; NumericError for NaN or Inf.
// Source: Hyndman & Fan 1996, "Sample Quantiles in Statistical Packages", type 7 (numpy's default).
std::vector<double> quantiles(std::span<const double> values, std::span<const double> probabilities);

// One quantile, as above.
double quantile(std::span<const double> values, double probability);

}  // namespace assay
