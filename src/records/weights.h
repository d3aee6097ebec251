// The result of `assay weights`: what each linear's weights look like and what a treatment does to them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace assay {

// The outliers of one output row or input channel: its weights with |w - mean| > 3 sigma.
struct OutlierChannel {
    std::int64_t index = 0;
    std::int64_t outliers = 0;
    double max_abs = 0;  // of them
    double share = 0;    // of the energy of all outliers, sum of (w - mean)^2

    bool operator==(const OutlierChannel&) const = default;
};

struct OutlierDetails {
    std::optional<double> kurtosis;  // 3 for a Gaussian; none for constant weights
    std::int64_t outliers_3s = 0;    // weights with |w - mean| > 3 sigma; likewise 4 and 6
    std::int64_t outliers_4s = 0;
    std::int64_t outliers_6s = 0;
    double outlier_magnitude = 0;       // max |w| of those beyond 3 sigma; 0 where there are none
    double range = 0;                   // max - min
    double range_without_outliers = 0;  // max - min within 3 sigma
    // Share of the treatment's groups whose range would be at most half without one weight; none where scales
    // serve several rows.
    std::optional<double> one_value_groups;
    std::vector<OutlierChannel> worst_rows;  // by share
    std::vector<OutlierChannel> worst_columns;

    bool operator==(const OutlierDetails&) const = default;
};

// Weights in bins of equal width from mean - 6 sigma to mean + 6 sigma; no bins for constant weights.
struct WeightBins {
    double low = 0;
    double high = 0;
    std::vector<std::int64_t> counts;
    std::int64_t below = 0;
    std::int64_t above = 0;

    bool operator==(const WeightBins&) const = default;
};

// Root mean square errors of W - Q over parts of the matrix: runs of rows by runs of groups.
struct WeightErrorMap {
    std::int64_t rows = 0;
    std::int64_t columns = 0;
    std::vector<double> rms;  // row by row

    bool operator==(const WeightErrorMap&) const = default;
};

// The weights lie on a grid of few bits.
struct AlreadyQuantized {
    std::optional<std::string> stored_type;  // where the file says so, such as "Q4_1"
    std::optional<std::int64_t> grid_bits;   // what the weights show
    std::optional<std::int64_t> grid_group;  // weights of a row that share a grid; 0: all

    bool operator==(const AlreadyQuantized&) const = default;
};

// One linear, or all that are treated together, rounded to nearest in one format.
struct GroupSweepRow {
    std::string format;
    double effective_bits = 0;
    std::int64_t bytes = 0;  // of the weights, with their scales and zero points
    double rmse = 0;
    std::optional<double> relative_error;  // none for W = 0

    bool operator==(const GroupSweepRow&) const = default;
};

// The selected linears of the blocks in one format, all else in 16 bits.
struct GroupSweepTotal {
    GroupSweepRow linears;
    double average_bits = 0;          // of all matrices, embedding and head included
    std::int64_t model_bytes = 0;     // of all tensors
    std::int64_t ragged_linears = 0;  // whose rows end with a shorter group

    bool operator==(const GroupSweepTotal&) const = default;
};

// One linear, or all that are treated together, clipped to c and then rounded to q.
struct ClipSweepRow {
    std::string format;
    std::string clip;                      // "percentile", "mse" or "output"
    std::optional<double> percentile;      // of |w| over the matrix; 1 clips nothing
    std::optional<double> threshold;       // that percentile
    std::optional<double> mean_ratio;      // mse, output: of the scales' ranges
    std::optional<double> best_ratio;      // mse, output: the best one for all scales alike
    double clip_error = 0;                 // sum of (w - c)^2
    double rounding_error = 0;             // sum of (c - q)^2
    double total_error = 0;                // sum of (w - q)^2
    std::int64_t clipped = 0;              // weights with c != w
    bool best = false;                     // the least total error of those in the treatment's format
    std::optional<double> relative_error;  // sqrt(total_error) / ||W||_F
    // sqrt(sum over channels c of m_c |(W - Q)_c|^2 / sum of m_c |W_c|^2), m_c = sum of x_c^2 over the input;
    // of several linears the root mean square of theirs. None without input statistics, as the next.
    std::optional<double> relative_output_error;
    std::optional<bool> best_output;  // the least of it of those in the treatment's format

    bool operator==(const ClipSweepRow&) const = default;
};

// W is the reference weight [out, in], Q the treated one, E = W - Q; sigma is the standard deviation of W's
// elements.
struct WeightsLinear {
    std::string name;
    std::vector<std::int64_t> shape;  // [out, in]
    std::string treatment;
    double effective_bits = 0;             // stored bits per weight, with scales, zero points and padding
    double frobenius_error = 0;            // ||E||_F
    std::optional<double> relative_error;  // ||E||_F / ||W||_F; none for W = 0
    double max_abs_error = 0;
    double mean_abs_error = 0;
    std::optional<double> sqnr_db;  // 10 log10(||W||^2 / ||E||^2); none for E = 0 (infinite) or W = 0
    double mean = 0;
    double std = 0;  // divided by n, not n - 1
    double min = 0;
    double max = 0;
    double max_abs = 0;
    double outlier_fraction_3s = 0;  // share of the weights with |w - mean| > 3 sigma; likewise 4 and 6
    double outlier_fraction_4s = 0;
    double outlier_fraction_6s = 0;
    std::optional<double> range_ratio;  // (max - min) / (max - min within 3 sigma); none for constant weights
    std::optional<double> range_ratio_4s;      // the same within 4 sigma
    std::optional<double> quantization_waste;  // 1 - 1 / range_ratio
    // None in results of older versions, as the next.
    std::optional<OutlierDetails> outliers;
    std::optional<AlreadyQuantized> already_quantized;
    std::optional<WeightBins> histogram;  // where asked for, as all that follow
    std::optional<WeightErrorMap> error_map;
    std::optional<std::vector<GroupSweepRow>> group_sweep;
    std::optional<std::vector<ClipSweepRow>> clip_sweep;

    bool operator==(const WeightsLinear&) const = default;
};

struct WeightsResult {
    std::vector<WeightsLinear> linears;                // in model order
    std::optional<double> range_ratio_limit;           // above it, range_ratio_4s is worth a warning
    std::optional<std::vector<std::string>> warnings;  // a sentence each
    std::optional<std::vector<GroupSweepTotal>> group_sweep;
    std::optional<std::vector<ClipSweepRow>> clip_sweep;

    bool operator==(const WeightsResult&) const = default;
};

}  // namespace assay
