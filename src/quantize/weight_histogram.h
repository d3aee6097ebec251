// How a matrix's weights are distributed.
#pragma once

#include <cstdint>
#include <vector>

#include "quantize/weight_moments.h"

namespace assay {

inline constexpr std::int64_t kHistogramBins = 96;
inline constexpr double kHistogramSigmas = 6;

// Bins of equal width over mean ± kHistogramSigmas std; empty for a constant.
struct WeightHistogram {
    double low = 0;
    double high = 0;
    std::vector<std::int64_t>
        counts;              // [bins]: bin b holds floor((w - low) · bins / (high - low)) = b, in f32
    std::int64_t below = 0;  // weights under low, and over high
    std::int64_t above = 0;
};

class HistogramSums {
  public:
    explicit HistogramSums(const WeightMoments& of);

    void add(const RowPanel& panel);
    void merge(const HistogramSums& other);
    WeightHistogram histogram() const;

  private:
    double low_ = 0, high_ = 0;
    float first_ = 0, per_weight_ = 0;  // bins
    std::vector<std::int64_t> counts_;  // below, bins, above; empty for a constant
};

}  // namespace assay
