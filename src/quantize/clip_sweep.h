// What clipping costs and gains, in several ways, from a few looks at the weights.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "quantize/clipping.h"
#include "quantize/grid_batch.h"
#include "quantize/row_scan.h"
#include "quantize/weight_moments.h"

namespace assay {

inline constexpr std::array<double, 5> kClipPercentiles = {0.99, 0.995, 0.999, 0.9995, 1.0};

// Where a range is cut before rounding in `format`: at the quantile `percentile` of |w| over the whole matrix
// (1: nowhere), or, without one, for each scale where the squared error is least (round_clipped).
struct ClipSetting {
    IntFormat format;
    std::optional<double> percentile;
};

// c the clipped w, q the rounded c.
struct ClipOutcome {
    double clip_error = 0;           // Σ (w - c)²
    double rounding_error = 0;       // Σ (c - q)²
    double total_error = 0;          // Σ (w - q)², which is not the sum of both: clipped weights round, too
    std::int64_t clipped = 0;        // weights with c != w
    std::optional<float> threshold;  // of a percentile
    std::optional<double> mean_ratio;  // of a search: over the scales
    std::optional<double>
        one_ratio;  // of a search: the ratio with the least total error, were it every scale's
};

// All percentiles with one scale for the whole matrix, all with the format's scales; then the search with a
// scale for each row and with the format's.
// Throws InvalidArgument unless clips_by_row(format).
std::vector<ClipSetting> clip_sweep_settings(const NumberFormat& format);

// The groups of one panel, their ranges, and how they are clipped: memory that is used again.
struct ClipGroups {
    std::vector<float> low, high;            // of the weights
    std::vector<float> clip_low, clip_high;  // where they are cut
    std::vector<float> cut_low, cut_high;    // of the clipped weights
    GridBatch grids;                         // of these

    void resize(std::size_t groups);
    // Rounds the panel's rows in groups of `width`, clipped as cut_low … clip_high say, and adds the errors.
    void add_errors(const RowPanel& panel, std::int64_t width, const IntFormat& format, compute::ClipRow& to);
};

// The searches: settings without percentile. One look.
class ClipSearchSums {
  public:
    ClipSearchSums(const std::vector<ClipSetting>& settings, std::int64_t cols);

    void add(const RowPanel& panel);
    void merge(const ClipSearchSums& other);
    std::vector<ClipOutcome> outcomes() const;  // of those settings, in their order

  private:
    struct Setting {
        IntFormat format;
        compute::ClipRow errors;
        std::array<double, kClipRatioCount> of_ratio{};
        std::int64_t scales = 0;
        double ratios = 0;
    };
    std::vector<Setting> settings_;
    std::int64_t cols_;
    ClipGroups groups_;
};

// Settings with percentiles, when their thresholds and the weights' range are known. One look.
class ClipAtSums {
  public:
    // Shape: thresholds: of the settings with percentiles, in their order.
    ClipAtSums(const std::vector<ClipSetting>& settings, const std::vector<float>& thresholds,
               const WeightMoments& of, std::int64_t cols);

    void add(const RowPanel& panel);
    void merge(const ClipAtSums& other);
    std::vector<ClipOutcome> outcomes() const;  // of those settings, in their order

  private:
    struct Setting {
        IntFormat format;
        float threshold = 0;
        compute::ClipRow errors;
    };
    std::vector<Setting> settings_;
    WeightMoments of_;
    std::int64_t cols_;
    ClipGroups groups_;
};

}  // namespace assay
