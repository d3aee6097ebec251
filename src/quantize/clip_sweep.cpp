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

// The ranges of all groups of `width` columns, row by row.
void find_ranges(const RowPanel& panel, std::int64_t width, std::vector<float>& low, std::vector<float>& high) {
    const auto per_row = static_cast<std::size_t>(ceil_div(panel.w.cols(), width));
    const auto rows = static_cast<std::size_t>(panel.w.rows());
    low.resize(rows * per_row);
    high.resize(rows * per_row);
    for (std::size_t r = 0; r < rows; ++r)
        compute::weight_kernels().ranges(panel.w.row(static_cast<std::int64_t>(r)).data(), panel.w.cols(), width,
                                         &low[r * per_row], &high[r * per_row]);
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

void ClipSearchSums::add(const RowPanel& panel) {
    for (Setting& setting : settings_) {
        const std::int64_t width = width_of(setting.format, cols_);
        find_ranges(panel, width, low_, high_);
        for_groups(panel, width, [&](std::span<const float> group, std::size_t g) {
            const BestClip best = best_clip(setting.format, group, {low_[g], high_[g]}, nullptr);
            compute::weight_kernels().clip_errors(group.data(), std::ssize(group), &best.grid,
                                                  &setting.errors);
            for (std::size_t i = 0; i < kClipRatioCount; ++i) setting.of_ratio[i] += best.errors[i];
            setting.ratios += static_cast<double>(kClipRatios[best.ratio]);
            ++setting.scales;
        });
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
        if (of_whole_matrix(setting.format)) {
            add_matrix(panel, setting);
            continue;
        }
        const std::int64_t width = width_of(setting.format, cols_);
        if (width != known) find_ranges(panel, width, low_, high_);
        known = width;
        add_groups(panel, width, setting);
    }
}

void ClipAtSums::add_matrix(const RowPanel& panel, Setting& setting) {
    const float t = setting.threshold;
    const float low = std::clamp(of_.min, -t, t), high = std::clamp(of_.max, -t, t);
    batch_.make(setting.format, std::span(&low, 1), std::span(&high, 1));
    const compute::Grids g = batch_.grids();
    const compute::ClipGrid grid{*g.scale, *g.inverse, *g.least, *g.most, -t, t};
    for (std::int64_t r = 0; r < panel.w.rows(); ++r)
        compute::weight_kernels().clip_errors(panel.w.row(r).data(), cols_, &grid, &setting.errors);
}

void ClipAtSums::add_groups(const RowPanel& panel, std::int64_t width, Setting& setting) {
    const float t = setting.threshold;
    const auto clip = [t](float x) { return std::clamp(x, -t, t); };
    clipped_low_.resize(low_.size());
    clipped_high_.resize(high_.size());
    std::transform(low_.begin(), low_.end(), clipped_low_.begin(), clip);
    std::transform(high_.begin(), high_.end(), clipped_high_.begin(), clip);
    batch_.make(setting.format, clipped_low_, clipped_high_);
    const compute::Grids grids = batch_.grids();
    for_groups(panel, width, [&](std::span<const float> group, std::size_t g) {
        const compute::ClipGrid grid{
            grids.scale[g], grids.inverse[g], grids.least[g], grids.most[g], -t, t};
        compute::weight_kernels().clip_errors(group.data(), std::ssize(group), &grid, &setting.errors);
    });
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
