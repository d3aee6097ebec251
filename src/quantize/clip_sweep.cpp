#include "quantize/clip_sweep.h"

#include <algorithm>
#include <cmath>

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

void expect_column_weights(std::span<const float> column_weights, std::int64_t cols) {
    if (!column_weights.empty() && std::ssize(column_weights) != cols)
        throw InvalidArgument("a clip sweep takes a weight for each column, or none at all");
}

ClipOutcome outcome_of(const compute::ClipRow& errors, const OutputSums& output) {
    return {.clip_error = errors.clip,
            .rounding_error = errors.rounding,
            .total_error = errors.total,
            .clipped = errors.clipped,
            .threshold = {},
            .mean_ratio = {},
            .one_ratio = {},
            .relative_output_error = output.relative()};
}

}  // namespace

std::vector<ClipSetting> clip_sweep_settings(const NumberFormat& format, bool with_inputs) {
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
        for (double p : kClipPercentiles) all.push_back({f, ClipRule::kPercentile, p});
    }
    const auto add_searches = [&](const IntFormat& f) {
        all.push_back({f, ClipRule::kMse});
        if (with_inputs) all.push_back({f, ClipRule::kOutput});
    };
    if (own.tile != row.tile) add_searches(row);
    add_searches(own);
    return all;
}

void OutputSums::merge(const OutputSums& other) {
    error += other.error;
    squares += other.squares;
}

std::optional<double> OutputSums::relative() const {
    return squares > 0 ? std::optional(std::sqrt(error / squares)) : std::nullopt;
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

ClipSearchSums::ClipSearchSums(const std::vector<ClipSetting>& settings, std::int64_t cols,
                               std::span<const float> column_weights)
    : cols_(cols), column_weights_(column_weights) {
    expect_column_weights(column_weights, cols);
    for (const ClipSetting& s : settings) {
        if (s.rule == ClipRule::kPercentile) continue;
        if (s.rule == ClipRule::kOutput && column_weights.empty())
            throw InvalidArgument("a clip by the output's error needs statistics of the input");
        settings_.push_back({.of = s});
    }
}

void ClipSearchSums::find_clips(const RowPanel& panel, std::int64_t width, const IntFormat& format) {
    find_ranges(panel, width, groups_.low, groups_.high);
    by_weights_.resize(groups_.low.size());
    by_output_.resize(column_weights_.empty() ? 0 : groups_.low.size());
    const auto per_row = static_cast<std::size_t>(ceil_div(cols_, width));
    for_groups(panel, width, [&](std::span<const float> group, std::size_t g) {
        const ValueRange range{groups_.low[g], groups_.high[g]};
        by_weights_[g] = best_clip(format, group, range, nullptr);
        if (by_output_.empty()) return;
        by_output_[g] =
            best_clip(format, group, range, &column_weights_[g % per_row * static_cast<std::size_t>(width)]);
    });
}

void ClipSearchSums::add_clips(const RowPanel& panel, std::int64_t width, Setting& setting) {
    const std::vector<BestClip>& chosen = setting.of.rule == ClipRule::kOutput ? by_output_ : by_weights_;
    groups_.resize(chosen.size());
    for (std::size_t g = 0; g < chosen.size(); ++g) {
        const BestClip& best = chosen[g];
        groups_.clip_low[g] = best.clip_low;
        groups_.clip_high[g] = best.clip_high;
        groups_.cut_low[g] = best.low;
        groups_.cut_high[g] = best.high;
        for (std::size_t i = 0; i < kClipRatioCount; ++i) setting.of_ratio[i] += best.errors[i];
        setting.ratios += static_cast<double>(kClipRatios[best.ratio]);
        ++setting.scales;
        if (by_output_.empty()) continue;
        setting.output.error += by_output_[g].errors[best.ratio];
        setting.output.squares += by_output_[g].squares;
    }
    groups_.add_errors(panel, width, setting.of.format, setting.errors);
}

void ClipSearchSums::add(const RowPanel& panel) {
    std::int64_t known = 0;  // groups of so many columns have their clips, by both rules
    for (Setting& setting : settings_) {
        const std::int64_t width = width_of(setting.of.format, cols_);
        if (width != known) find_clips(panel, width, setting.of.format);
        known = width;
        add_clips(panel, width, setting);
    }
}

void ClipSearchSums::merge(const ClipSearchSums& other) {
    for (std::size_t s = 0; s < settings_.size(); ++s) {
        Setting& setting = settings_[s];
        const Setting& from = other.settings_[s];
        add_errors(from.errors, setting.errors);
        setting.output.merge(from.output);
        for (std::size_t i = 0; i < kClipRatioCount; ++i) setting.of_ratio[i] += from.of_ratio[i];
        setting.scales += from.scales;
        setting.ratios += from.ratios;
    }
}

std::vector<ClipOutcome> ClipSearchSums::outcomes() const {
    std::vector<ClipOutcome> out;
    for (const Setting& setting : settings_) {
        out.push_back(outcome_of(setting.errors, setting.output));
        if (setting.scales == 0) continue;
        out.back().mean_ratio = setting.ratios / static_cast<double>(setting.scales);
        const auto least = std::min_element(setting.of_ratio.begin(), setting.of_ratio.end());
        out.back().one_ratio = static_cast<double>(kClipRatios[least - setting.of_ratio.begin()]);
    }
    return out;
}

ClipAtSums::ClipAtSums(const std::vector<ClipSetting>& settings, const std::vector<float>& thresholds,
                       const WeightMoments& of, std::int64_t cols, std::span<const float> column_weights)
    : of_(of), cols_(cols), column_weights_(column_weights) {
    expect_column_weights(column_weights, cols);
    for (const ClipSetting& s : settings) {
        if (s.rule == ClipRule::kPercentile) settings_.push_back({.format = s.format});
    }
    if (settings_.size() != thresholds.size() || settings_.size() % kClipPercentiles.size() != 0)
        throw InvalidArgument("all percentiles of each format are expected, and a threshold for each");
    for (std::size_t i = 0; i < thresholds.size(); ++i) settings_[i].threshold = thresholds[i];
}

void ClipAtSums::add(const RowPanel& panel) {
    std::int64_t known = 0;  // groups of so many columns have their ranges
    for (std::size_t s = 0; s < settings_.size(); ++s) {
        Setting& setting = settings_[s];
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
        // All percentiles of a format at once, when the first of them comes.
        if (s % kClipPercentiles.size() == 0 && !column_weights_.empty())
            add_output(panel, width, std::span(settings_).subspan(s, kClipPercentiles.size()));
    }
}

// A lane of the kernel for each percentile, and one that rounds all weights to 0.
void ClipAtSums::add_output(const RowPanel& panel, std::int64_t width, std::span<Setting> alike) {
    constexpr std::size_t kLanes = compute::kLanes;
    static_assert(kClipPercentiles.size() < kLanes);
    const IntFormat& format = alike.front().format;
    const auto per_row = static_cast<std::size_t>(ceil_div(cols_, width));
    for_groups(panel, width, [&](std::span<const float> group, std::size_t g) {
        const bool whole = of_whole_matrix(format);
        const ValueRange range{whole ? of_.min : groups_.low[g], whole ? of_.max : groups_.high[g]};
        float low[kLanes] = {}, high[kLanes] = {};
        for (std::size_t i = 0; i < alike.size(); ++i) {
            low[i] = std::clamp(range.low, -alike[i].threshold, alike[i].threshold);
            high[i] = std::clamp(range.high, -alike[i].threshold, alike[i].threshold);
        }
        double errors[kLanes];
        candidate_errors(format, group, low, high,
                         &column_weights_[g % per_row * static_cast<std::size_t>(width)], errors);
        for (std::size_t i = 0; i < alike.size(); ++i) {
            alike[i].output.error += errors[i];
            alike[i].output.squares += errors[alike.size()];
        }
    });
}

void ClipAtSums::merge(const ClipAtSums& other) {
    for (std::size_t s = 0; s < settings_.size(); ++s) {
        add_errors(other.settings_[s].errors, settings_[s].errors);
        settings_[s].output.merge(other.settings_[s].output);
    }
}

std::vector<ClipOutcome> ClipAtSums::outcomes() const {
    std::vector<ClipOutcome> out;
    for (const Setting& setting : settings_) {
        out.push_back(outcome_of(setting.errors, setting.output));
        out.back().threshold = setting.threshold;
    }
    return out;
}

}  // namespace assay
