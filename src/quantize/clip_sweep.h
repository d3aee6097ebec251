// What clipping costs and gains, in several ways, from a few looks at the weights.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "quantize/clipping.h"
#include "quantize/grid_batch.h"
#include "quantize/row_scan.h"
#include "quantize/weight_moments.h"

namespace assay {

inline constexpr std::array<double, 5> kClipPercentiles = {0.99, 0.995, 0.999, 0.9995, 1.0};

// What decides where a range is cut.
enum class ClipRule {
    kPercentile,  // the quantile ClipSetting::percentile of |w| over the whole matrix (1: nowhere)
    kMse,         // of each scale: the least Σ (w - rounded)² (round_clipped)
    kOutput,      // of each scale: the least Σ m (w - rounded)², m_c = Σ x_c² of the input channel
};

// A range that is cut before rounding in `format`.
struct ClipSetting {
    IntFormat format;
    ClipRule rule = ClipRule::kMse;
    double percentile = 1;
};

// c the clipped w, q the rounded c.
struct ClipOutcome {
    double clip_error = 0;           // Σ (w - c)²
    double rounding_error = 0;       // Σ (c - q)²
    double total_error = 0;          // Σ (w - q)², which is not the sum of both: clipped weights round, too
    std::int64_t clipped = 0;        // weights with c != w
    std::optional<float> threshold;  // of a percentile
    std::optional<double> mean_ratio;  // of a search: over the scales
    // Of a search: the ratio with the least error (what it searches by), were it every scale's.
    std::optional<double> one_ratio;
    // √(Σ_c m_c Σ_o (w_oc - q_oc)² / Σ_c m_c Σ_o w_oc²) with m_c = Σ x_c²: the relative error of the linear's
    // output x wᵀ where its inputs' channels are uncorrelated (Σ x_a x_b = 0), else an estimate that leaves
    // the other products of H = Σ x xᵀ out. None without input statistics, and where all is 0.
    std::optional<double> relative_output_error;

    bool operator==(const ClipOutcome&) const = default;
};

// All percentiles with one scale for the whole matrix, all with the format's scales; then the searches, each
// with a scale for each row and with the format's: by mse and, with input statistics, by the output's error.
// Throws InvalidArgument unless clips_by_row(format).
std::vector<ClipSetting> clip_sweep_settings(const NumberFormat& format, bool with_inputs);

// How the groups of one panel are clipped: memory that is used again.
class ClippedGroups {
  public:
    void resize(std::size_t groups);
    std::size_t size() const { return size_; }
    // Where they are cut, and the ranges of the clipped weights.
    std::span<float> low() { return part(0); }
    std::span<float> high() { return part(1); }
    std::span<float> cut_low() { return part(2); }
    std::span<float> cut_high() { return part(3); }
    void make_grids(const IntFormat& format) { grids_.make(format, cut_low(), cut_high()); }
    compute::Clips view() { return {grids_.grids(), low().data(), high().data()}; }

  private:
    std::span<float> part(std::size_t i) { return std::span(values_).subspan(i * size_, size_); }

    std::size_t size_ = 0;
    std::vector<float> values_;
    GridBatch grids_;  // of the clipped weights
};

// Errors of the output, as ClipOutcome has them.
struct OutputSums {
    double error = 0;    // Σ_c m_c Σ_o (w_oc - q_oc)²
    double squares = 0;  // Σ_c m_c Σ_o w_oc²

    void merge(const OutputSums& other);
    std::optional<double> relative() const;
};

// The searches, kMse and kOutput, of clip_sweep_settings(). One look.
class ClipSearchSums {
  public:
    // column_weights: energy_shares() of the input [cols], which must outlive the sums and their copies, or
    // empty: there are no statistics, nor kOutput settings. Throws InvalidArgument where they do not fit.
    ClipSearchSums(const std::vector<ClipSetting>& settings, std::int64_t cols,
                   std::span<const float> column_weights);

    void add(const RowPanel& panel);
    void merge(const ClipSearchSums& other);
    std::vector<ClipOutcome> outcomes() const;  // of those settings, in their order

  private:
    struct Setting {
        ClipSetting of;
        compute::ClipRow errors;
        OutputSums output;
        std::array<double, kClipRatioCount> of_ratio{};
        std::int64_t scales = 0;
        double ratios = 0;
    };
    void find_clips(const RowPanel& panel, const PanelRanges::Ranges& ranges, const IntFormat& format);
    void add_clips(const RowPanel& panel, const PanelRanges::Ranges& ranges, Setting& setting);

    std::vector<Setting> settings_;
    std::int64_t cols_;
    std::span<const float> column_weights_;
    ClippedGroups clipped_;
    std::vector<BestClip> by_weights_, by_output_;  // of the panel's groups; the latter with statistics
};

// The percentiles of clip_sweep_settings(), when their thresholds and the weights' range are known. One look.
class ClipAtSums {
  public:
    // Shape: thresholds: of the settings with percentiles, in their order; column_weights as above.
    ClipAtSums(const std::vector<ClipSetting>& settings, const std::vector<float>& thresholds,
               const WeightMoments& of, std::int64_t cols, std::span<const float> column_weights);

    void add(const RowPanel& panel);
    void merge(const ClipAtSums& other);
    std::vector<ClipOutcome> outcomes() const;  // of those settings, in their order

  private:
    // One scale; its percentiles are looked at together.
    struct Format {
        IntFormat of;
        std::array<float, kClipPercentiles.size()> thresholds{};
        std::array<compute::ClipRow, kClipPercentiles.size()> errors{};
        std::array<OutputSums, kClipPercentiles.size()> output{};
        std::array<ClippedGroups, kClipPercentiles.size()> clipped{};
    };
    void clip(const PanelRanges::Ranges& ranges, Format& format);
    void add_output(const RowPanel& panel, const PanelRanges::Ranges& ranges, Format& format);

    std::vector<Format> formats_;
    WeightMoments of_;
    std::int64_t cols_;
    std::span<const float> column_weights_;
};

}  // namespace assay
