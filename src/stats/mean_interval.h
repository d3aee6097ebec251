// Confidence interval of a mean.
#pragma once

#include <optional>
#include <span>

#include "base/interval.h"

namespace assay {

// 95 % interval of the mean of independent values: for a paired comparison, of the blocks' differences.
//   x̄ ± t(0.975; n - 1) s/√n,   s² = Σ (x - x̄)² / (n - 1)
// Exact for Gaussian values; values that are all equal give a point. None for fewer than two values.
// Throws: NumericError for NaN or Inf.
// Source: Student 1908, "The Probable Error of a Mean".
std::optional<Interval> mean_interval(std::span<const double> values);

}  // namespace assay
