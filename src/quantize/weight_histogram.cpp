#include "quantize/weight_histogram.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace assay {

HistogramSums::HistogramSums(const WeightMoments& of) {
    const double half = kHistogramSigmas * of.std;
    low_ = of.mean - half;
    high_ = of.mean + half;
    first_ = static_cast<float>(low_);
    per_weight_ = static_cast<float>(static_cast<double>(kHistogramBins) / (high_ - low_));
    if (of.std > 0 && std::isfinite(per_weight_)) counts_.resize(kHistogramBins + 2);
}

void HistogramSums::add(const RowPanel& panel) {
    if (counts_.empty()) return;
    constexpr std::int64_t kRun = 256;
    constexpr auto kTop = static_cast<float>(kHistogramBins + 1);
    std::array<std::int32_t, kRun> bins;
    for (std::int64_t r = 0; r < panel.w.rows(); ++r) {
        const float* row = panel.w.row(r).data();
        for (std::int64_t begin = 0; begin < panel.w.cols(); begin += kRun) {
            const std::int64_t n = std::min(kRun, panel.w.cols() - begin);
            for (std::int64_t i = 0; i < n; ++i) {  // a loop that becomes vector operations
                const float place = (row[begin + i] - first_) * per_weight_ + 1;
                const float over = place > 0 ? place : 0.0f;
                bins[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(over < kTop ? over : kTop);
            }
            for (std::int64_t i = 0; i < n; ++i)
                ++counts_[static_cast<std::size_t>(bins[static_cast<std::size_t>(i)])];
        }
    }
}

void HistogramSums::merge(const HistogramSums& other) {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
}

WeightHistogram HistogramSums::histogram() const {
    if (counts_.empty()) return {};
    return {.low = low_,
            .high = high_,
            .counts = {counts_.begin() + 1, counts_.end() - 1},
            .below = counts_.front(),
            .above = counts_.back()};
}

}  // namespace assay
