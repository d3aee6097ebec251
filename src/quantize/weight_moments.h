// Moments of a matrix's weights.
#pragma once

#include <cstdint>
#include <optional>

#include "compute/cpu/weight_kernels.h"
#include "quantize/row_scan.h"

namespace assay {

// All zero without elements.
struct WeightMoments {
    std::int64_t count = 0;
    double mean = 0;
    double std = 0;                  // sqrt(Σ (w - mean)² / count): ddof 0
    std::optional<double> kurtosis;  // Σ (w - mean)⁴ / count / std⁴: 3 for a Gaussian; none for a constant
    float min = 0;
    float max = 0;
    float max_abs = 0;
    double squares = 0;  // Σ w²
};

// Σ (w - shift)^p for p = 1 to 4 in double, with a shift that lies among the weights: then little cancels
// when the central moments are made of them (Chan, Golub & LeVeque 1983, "Algorithms for Computing the Sample
// Variance"), and a constant has std exactly 0.
class MomentSums {
  public:
    explicit MomentSums(double shift) : shift_(shift) {}

    // Throws NumericError where a weight is NaN or infinite.
    void add(const RowPanel& panel);
    void merge(const MomentSums& other);
    WeightMoments moments() const;

  private:
    double shift_;
    std::int64_t count_ = 0;
    compute::PowerRow powers_;
};

// The mean of a matrix's first row; 0 without elements.
double first_row_mean(const RowSource& w);

}  // namespace assay
