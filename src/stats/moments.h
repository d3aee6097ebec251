// Moments of a tensor's elements, and how much of its range belongs to outliers.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/parallel.h"

namespace assay {

// All zero without elements.
struct Moments {
    std::int64_t count = 0;
    double mean = 0;
    double std = 0;  // sqrt(Σ (x - mean)² / count): ddof 0
    float min = 0;
    float max = 0;
    float max_abs = 0;
};

// Two passes over each fixed chunk in double; the chunks' means and sums of squares are merged in order, so
// bits do not depend on threads, nothing cancels, and a constant has std exactly 0.
// Throws: NumericError naming the element for NaN or Inf.
// Source: Chan, Golub & LeVeque 1979, "Updating Formulae and a Pairwise Algorithm for Computing Sample
// Variances".
Moments moments(std::span<const float> values, ThreadPool& pool);

struct Outliers {
    std::int64_t count = 0;  // #{|x - mean| > k·std}
    double fraction = 0;     // count / elements
    // (max - min over all) / (max - min over the elements that are no outliers), ≥ 1; 1 where there are no
    // outliers. None where all elements that are no outliers are equal.
    std::optional<double> range_ratio;

    // The share of a uniform grid's codes that only outliers use: 1 - 1/range_ratio; 1 where range_ratio is
    // none.
    double quantization_waste() const { return range_ratio ? 1 - 1 / *range_ratio : 1; }
};

// Outliers beyond k standard deviations (k > 0), given the moments of the same values.
// Throws InvalidArgument where `of` does not belong to as many values or k is not positive.
Outliers outliers(std::span<const float> values, const Moments& of, double k, ThreadPool& pool);

}  // namespace assay
