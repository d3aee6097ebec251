#include "quantize/clip_sweep.h"

#include <algorithm>

#include "base/checked.h"
#include "base/error.h"

namespace assay {
namespace {

bool of_whole_matrix(const IntFormat& format) {
    return format.tile == kTensorTile;
}

// Columns of a group.
std::int64_t width_of(const IntFormat& format, std::int64_t cols) {
    return format.tile.columns == 0 ? cols : std::min(format.tile.columns, cols);
}

// Calls visit(weights, group) for all groups of a panel, numbered as by find_ranges().
template <class Visit>
void for_groups(const RowPanel& panel, std::int64_t width, const Visit& visit) {
    std::size_t group = 0;
    for (std::int64_t r = 0; r < panel.w.rows(); ++r) {
        const auto row = panel.w.row(r);
        for (std::size_t first = 0; first < row.size(); first += static_cast<std::size_t>(width))
            visit(row.subspan(first, std::min(static_cast<std::size_t>(width), row.size() - first)), group++);
    }
}

void add_errors(const compute::ClipRow& from, compute::ClipRow& to) {
    to.clip += from.clip;
    to.rounding += from.rounding;
    to.total += from.total;
    to.clipped += from.clipped;
}

ClipOutcome outcome_of(const compute::ClipRow& errors) {
    return {.clip_error = errors.clip,
            .rounding_error = errors.rounding,
            .total_error = errors.total,
            .clipped = errors.clipped,
            .threshold = {},
            .mean_ratio = {},
            .one_ratio = {}};
}

}  // namespace

std::vector<ClipSetting> clip_sweep_settings(const NumberFormat& format) {
    if (!clips_by_row(format)) {
        throw InvalidArgument(
            "the clip sweep is of integer formats with groups of one row, such as int4-g128, not of " +
            to_string(format));
    }
    const IntFormat own = std::get<IntFormat>(format);
    IntFormat matrix = own, row = own;
    matrix.tile = kTensorTile;
    row.tile = kChannelTile;
    std::vector<ClipSetting> all;
    for (const IntFormat& f : {matrix, own}) {
        for (double p : kClipPercentiles) all.push_back({f, p});
    }
    if (own.tile != row.tile) all.push_back({row, std::nullopt});
    all.push_back({own, std::nullopt});
    return all;
}

ClipSearchSums::ClipSearchSums(const std::vector<ClipSetting>& settings, std::int64_t cols) : cols_(cols) {
    for (const ClipSetting& s : settings) {
        if (!s.percentile) settings_.push_back({.format = s.format});
    }
}

void ClipGroups::resize(std::size_t groups) {
    for (auto* values : {&clip_low, &clip_high, &cut_low, &cut_high}) values->resize(groups);
}

void ClipGroups::add_errors(const RowPanel& panel, std::int64_t width, const IntFormat& format,
                            compute::ClipRow& to) {
    grids.make(format, cut_low, cut_high);
    const compute::Clips clips{grids.grids(), clip_low.data(), clip_high.data()};
    const std::int64_t cols = panel.w.cols(), per_row = ceil_div(cols, width);
    for (std::int64_t r = 0; r < panel.w.rows(); ++r)
        compute::weight_kernels().clip_errors(panel.w.row(r).data(), cols, width, &clips, r * per_row, &to);
}

void ClipSearchSums::add(const RowPanel& panel) {
    for (Setting& setting : settings_) {
        const std::int64_t width = width_of(setting.format, cols_);
        find_ranges(panel, width, groups_.low, groups_.high);
        groups_.resize(groups_.low.size());
        for_groups(panel, width, [&](std::span<const float> group, std::size_t g) {
            const BestClip best =
                best_clip(setting.format, group, {groups_.low[g], groups_.high[g]}, nullptr);
            groups_.clip_low[g] = best.clip_low;
            groups_.clip_high[g] = best.clip_high;
            groups_.cut_low[g] = best.low;
            groups_.cut_high[g] = best.high;
            for (std::size_t i = 0; i < kClipRatioCount; ++i) setting.of_ratio[i] += best.errors[i];
            setting.ratios += static_cast<double>(kClipRatios[best.ratio]);
            ++setting.scales;
        });
        groups_.add_errors(panel, width, setting.format, setting.errors);
    }
}

void ClipSearchSums::merge(const ClipSearchSums& other) {
    for (std::size_t s = 0; s < settings_.size(); ++s) {
        Setting& setting = settings_[s];
        const Setting& from = other.settings_[s];
        add_errors(from.errors, setting.errors);
        for (std::size_t i = 0; i < kClipRatioCount; ++i) setting.of_ratio[i] += from.of_ratio[i];
        setting.scales += from.scales;
        setting.ratios += from.ratios;
    }
}

std::vector<ClipOutcome> ClipSearchSums::outcomes() const {
    std::vector<ClipOutcome> out;
    for (const Setting& setting : settings_) {
        out.push_back(outcome_of(setting.errors));
        if (setting.scales == 0) continue;
        out.back().mean_ratio = setting.ratios / static_cast<double>(setting.scales);
        const auto least = std::min_element(setting.of_ratio.begin(), setting.of_ratio.end());
        out.back().one_ratio = static_cast<double>(kClipRatios[least - setting.of_ratio.begin()]);
    }
    return out;
}

ClipAtSums::ClipAtSums(const std::vector<ClipSetting>& settings, const std::vector<float>& thresholds,
                       const WeightMoments& of, std::int64_t cols)
    : of_(of), cols_(cols) {
    for (const ClipSetting& s : settings) {
        if (s.percentile) settings_.push_back({s.format, 0, {}});
    }
    if (settings_.size() != thresholds.size())
        throw InvalidArgument("a threshold is expected for each setting with a percentile");
    for (std::size_t i = 0; i < thresholds.size(); ++i) settings_[i].threshold = thresholds[i];
}

void ClipAtSums::add(const RowPanel& panel) {
    std::int64_t known = 0;  // groups of so many columns have their ranges
    for (Setting& setting : settings_) {
        const float t = setting.threshold;
        const auto cut = [t](float x) { return std::clamp(x, -t, t); };
        const std::int64_t width = width_of(setting.format, cols_);
        if (width != known) find_ranges(panel, width, groups_.low, groups_.high);
        known = width;
        groups_.resize(groups_.low.size());
        std::fill(groups_.clip_low.begin(), groups_.clip_low.end(), -t);
        std::fill(groups_.clip_high.begin(), groups_.clip_high.end(), t);
        if (of_whole_matrix(setting.format)) {  // each row is a group, in the matrix's range
            std::fill(groups_.cut_low.begin(), groups_.cut_low.end(), cut(of_.min));
            std::fill(groups_.cut_high.begin(), groups_.cut_high.end(), cut(of_.max));
        } else {
            std::transform(groups_.low.begin(), groups_.low.end(), groups_.cut_low.begin(), cut);
            std::transform(groups_.high.begin(), groups_.high.end(), groups_.cut_high.begin(), cut);
        }
        groups_.add_errors(panel, width, setting.format, setting.errors);
    }
}

void ClipAtSums::merge(const ClipAtSums& other) {
    for (std::size_t s = 0; s < settings_.size(); ++s)
        add_errors(other.settings_[s].errors, settings_[s].errors);
}

std::vector<ClipOutcome> ClipAtSums::outcomes() const {
    std::vector<ClipOutcome> out;
    for (const Setting& setting : settings_) {
        out.push_back(outcome_of(setting.errors));
        out.back().threshold = setting.threshold;
    }
    return out;
}

}  // namespace assay
