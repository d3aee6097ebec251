#include "treat/weight_records.h"

#include <algorithm>
#include <cmath>

#include "number/number_format.h"
#include "quantize/group_sweep.h"
#include "quantize/weight_checks.h"

namespace assay {
namespace {

std::vector<OutlierChannel> to_records(const std::vector<OutlierPart>& parts, double energy) {
    std::vector<OutlierChannel> out;
    for (const OutlierPart& p : parts)
        out.push_back({p.index, p.count, static_cast<double>(p.max_abs), p.energy / energy});
    return out;
}

double four_digits(double x) {
    if (x == 0) return 0;
    const double unit = std::pow(10, std::floor(std::log10(std::abs(x))) - 3);
    return std::round(x / unit) * unit;
}

std::optional<double> relative(double squared_error, const WeightMoments& moments) {
    if (!(moments.squares > 0)) return std::nullopt;
    return std::sqrt(squared_error / moments.squares);
}

const char* name_of(ClipRule rule) {
    switch (rule) {
        case ClipRule::kPercentile:
            return "percentile";
        case ClipRule::kMse:
            return "mse";
        case ClipRule::kOutput:
            return "output";
    }
    return "";
}

std::optional<double> widened(const std::optional<float>& x) {
    return x ? std::optional<double>(*x) : std::nullopt;
}

}  // namespace

void add_moments(const WeightMoments& moments, const WeightOutliers& outliers,
                 const std::optional<OneValueGroups>& groups, WeightsLinear& out) {
    const auto n = static_cast<double>(std::max<std::int64_t>(1, moments.count));
    out.mean = moments.mean;
    out.std = moments.std;
    out.min = static_cast<double>(moments.min);
    out.max = static_cast<double>(moments.max);
    out.max_abs = static_cast<double>(moments.max_abs);
    out.outlier_fraction_3s = static_cast<double>(outliers.counts[0]) / n;
    out.outlier_fraction_4s = static_cast<double>(outliers.counts[1]) / n;
    out.outlier_fraction_6s = static_cast<double>(outliers.counts[2]) / n;
    out.range_ratio = range_ratio(outliers.range, outliers.range_without_3s);
    out.range_ratio_4s = range_ratio(outliers.range, outliers.range_without_4s);
    out.quantization_waste = quantization_waste(outliers.range, outliers.range_without_3s);
    OutlierDetails& details = out.outliers.emplace();
    details.kurtosis = moments.kurtosis;
    details.outliers_3s = outliers.counts[0];
    details.outliers_4s = outliers.counts[1];
    details.outliers_6s = outliers.counts[2];
    details.outlier_magnitude = static_cast<double>(outliers.magnitude);
    details.range = outliers.range;
    details.range_without_outliers = outliers.range_without_3s;
    if (groups && groups->groups > 0)
        details.one_value_groups =
            static_cast<double>(groups->of_one_value) / static_cast<double>(groups->groups);
    details.worst_rows = to_records(outliers.rows, outliers.energy);
    details.worst_columns = to_records(outliers.columns, outliers.energy);
}

void add_errors(const ReconstructionError& error, const WeightMoments& moments, WeightsLinear& out) {
    out.frobenius_error = error.frobenius;
    if (moments.max_abs > 0) out.relative_error = error.relative;
    out.max_abs_error = error.max_abs;
    out.mean_abs_error = error.mean_abs;
    out.sqnr_db = error.sqnr_db;
}

WeightBins to_record(const WeightHistogram& histogram) {
    return {histogram.low, histogram.high, histogram.counts, histogram.below, histogram.above};
}

WeightErrorMap to_record(const ErrorMap& map) {
    WeightErrorMap out{map.rows, map.columns, map.rms};
    std::transform(out.rms.begin(), out.rms.end(), out.rms.begin(), four_digits);
    return out;
}

std::vector<GroupSweepRow> group_rows(const LinearItem& item, std::span<const double> squared_errors,
                                      const WeightMoments& moments) {
    std::vector<GroupSweepRow> rows;
    const std::vector<IntFormat> formats = group_sweep_formats();
    for (std::size_t f = 0; f < formats.size(); ++f) {
        const FormatSize size = storage_size(formats[f], item.out, item.in);
        rows.push_back({.format = to_string(formats[f]),
                        .effective_bits = size.effective_bits(),
                        .bytes = size.total_bytes(),
                        .rmse = std::sqrt(squared_errors[f] /
                                          static_cast<double>(std::max<std::int64_t>(1, moments.count))),
                        .relative_error = relative(squared_errors[f], moments)});
    }
    return rows;
}

std::vector<ClipSweepRow> clip_rows(const std::vector<ClipSetting>& settings,
                                    const std::vector<ClipOutcome>& outcomes, const WeightMoments& moments) {
    std::vector<ClipSweepRow> rows;
    for (std::size_t i = 0; i < settings.size(); ++i) {
        const ClipOutcome& o = outcomes[i];
        const bool at = settings[i].rule == ClipRule::kPercentile;
        rows.push_back({.format = to_string(settings[i].format),
                        .clip = name_of(settings[i].rule),
                        .percentile = at ? std::optional(settings[i].percentile) : std::nullopt,
                        .threshold = widened(o.threshold),
                        .mean_ratio = o.mean_ratio,
                        .best_ratio = o.one_ratio,
                        .clip_error = o.clip_error,
                        .rounding_error = o.rounding_error,
                        .total_error = o.total_error,
                        .clipped = o.clipped,
                        .relative_error = relative(o.total_error, moments),
                        .relative_output_error = o.relative_output_error});
    }
    return rows;
}

void mark_best(const std::string& format, std::vector<ClipSweepRow>& rows) {
    ClipSweepRow* best = nullptr;
    ClipSweepRow* best_output = nullptr;
    for (ClipSweepRow& row : rows) {
        if (row.relative_output_error) row.best_output = false;
        if (row.format != format) continue;
        if (best == nullptr || row.total_error < best->total_error) best = &row;
        if (row.relative_output_error &&
            (best_output == nullptr || *row.relative_output_error < *best_output->relative_output_error))
            best_output = &row;
    }
    if (best != nullptr) best->best = true;
    if (best_output != nullptr) best_output->best_output = true;
}

std::optional<AlreadyQuantized> find_quantization(const RowSource& rows, const std::string& stored_type,
                                                  ThreadPool& pool) {
    const std::int64_t count = std::min(rows.rows, kQuantizationRows);
    Matrix<float> sample(count, rows.cols);
    for (std::int64_t r = 0; r < count; ++r) rows.read(r * rows.rows / count, sample.view().row_range(r, 1));
    const auto grid = find_grid(sample.view(), pool);
    if (!grid && stored_type.empty()) return std::nullopt;
    AlreadyQuantized out;
    if (!stored_type.empty()) out.stored_type = stored_type;
    if (grid) {
        out.grid_bits = grid->bits;
        out.grid_group = grid->group;
    }
    return out;
}

}  // namespace assay
