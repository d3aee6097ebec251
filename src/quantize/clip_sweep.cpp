#include "quantize/clip_sweep.h"

#include <algorithm>
#include <cmath>

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

// Calls visit(weights, group) for all groups of a panel, numbered as ranges_of() has them.
template <class Visit>
void for_groups(const RowPanel& panel, std::int64_t width, const Visit& visit) {
    std::size_t group = 0;
    for (std::int64_t r = 0; r < panel.w.rows(); ++r) {
        const auto row = panel.w.row(r);
        for (std::size_t first = 0; first < row.size(); first += static_cast<std::size_t>(width))
            visit(row.subspan(first, std::min(static_cast<std::size_t>(width), row.size() - first)), group++);
    }
}

// Adds the errors of the panel's groups as each of the set's clips makes them.
void add_panel(const RowPanel& panel, const PanelRanges::Ranges& ranges, compute::ClipSet& set,
               compute::ClipRow* rows) {
    set.low = ranges.low.data();
    set.high = ranges.high.data();
    for (std::int64_t r = 0; r < panel.w.rows(); ++r)
        compute::weight_kernels().clip_errors(panel.w.row(r).data(), panel.w.cols(), ranges.width, &set,
                                              r * ranges.per_row, rows);
}

void add(const compute::ClipRow& from, compute::ClipRow& to) {
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

void ClippedGroups::resize(std::size_t groups) {
    size_ = groups;
    values_.resize(4 * groups);
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

void ClipSearchSums::find_clips(const RowPanel& panel, const PanelRanges::Ranges& ranges,
                                const IntFormat& format) {
    by_weights_.resize(ranges.low.size());
    by_output_.resize(column_weights_.empty() ? 0 : ranges.low.size());
    const auto width = static_cast<std::size_t>(ranges.width);
    const auto per_row = static_cast<std::size_t>(ranges.per_row);
    for_groups(panel, ranges.width, [&](std::span<const float> group, std::size_t g) {
        const ValueRange range{ranges.low[g], ranges.high[g]};
        by_weights_[g] = best_clip(format, group, range, nullptr);
        if (!by_output_.empty())
            by_output_[g] = best_clip(format, group, range, &column_weights_[g % per_row * width]);
    });
}

void ClipSearchSums::add_clips(const RowPanel& panel, const PanelRanges::Ranges& ranges, Setting& setting) {
    const std::vector<BestClip>& chosen = setting.of.rule == ClipRule::kOutput ? by_output_ : by_weights_;
    clipped_.resize(chosen.size());
    const auto low = clipped_.low(), high = clipped_.high(), cut_low = clipped_.cut_low(),
               cut_high = clipped_.cut_high();
    for (std::size_t g = 0; g < chosen.size(); ++g) {
        const BestClip& best = chosen[g];
        low[g] = best.clip_low;
        high[g] = best.clip_high;
        cut_low[g] = best.low;
        cut_high[g] = best.high;
        for (std::size_t i = 0; i < kClipRatioCount; ++i) setting.of_ratio[i] += best.errors[i];
        setting.ratios += static_cast<double>(kClipRatios[best.ratio]);
        ++setting.scales;
        if (by_output_.empty()) continue;
        setting.output.error += by_output_[g].errors[best.ratio];
        setting.output.squares += by_output_[g].squares;
    }
    clipped_.make_grids(setting.of.format);
    compute::ClipSet set{.clips = {clipped_.view()}, .count = 1};
    add_panel(panel, ranges, set, &setting.errors);
}

void ClipSearchSums::add(const RowPanel& panel) {
    const PanelRanges::Ranges* known = nullptr;  // of groups that have their clips, by both rules
    for (Setting& setting : settings_) {
        const PanelRanges::Ranges& ranges = ranges_of(panel, width_of(setting.of.format, cols_));
        if (&ranges != known) find_clips(panel, ranges, setting.of.format);
        known = &ranges;
        add_clips(panel, ranges, setting);
    }
}

void ClipSearchSums::merge(const ClipSearchSums& other) {
    for (std::size_t s = 0; s < settings_.size(); ++s) {
        Setting& setting = settings_[s];
        const Setting& from = other.settings_[s];
        assay::add(from.errors, setting.errors);
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
    std::size_t count = 0;
    for (const ClipSetting& s : settings) {
        if (s.rule != ClipRule::kPercentile) continue;
        const std::size_t i = count++ % kClipPercentiles.size();
        if (i == 0) formats_.push_back({.of = s.format});
        if (count <= thresholds.size()) formats_.back().thresholds[i] = thresholds[count - 1];
    }
    if (count == 0 || count != thresholds.size() || count % kClipPercentiles.size() != 0)
        throw InvalidArgument("all percentiles of each format are expected, and a threshold for each");
}

// Cuts the groups at each of the thresholds.
void ClipAtSums::clip(const PanelRanges::Ranges& ranges, Format& format) {
    const std::size_t groups = ranges.low.size();
    const bool whole = of_whole_matrix(format.of);
    for (std::size_t i = 0; i < format.clipped.size(); ++i) {
        const float t = format.thresholds[i];
        const auto cut = [t](float x) { return std::clamp(x, -t, t); };
        ClippedGroups& clipped = format.clipped[i];
        if (whole && clipped.size() == groups) continue;  // the same in each panel
        clipped.resize(groups);
        std::ranges::fill(clipped.low(), -t);
        std::ranges::fill(clipped.high(), t);
        if (whole) {
            std::ranges::fill(clipped.cut_low(), cut(of_.min));
            std::ranges::fill(clipped.cut_high(), cut(of_.max));
        } else {
            std::ranges::transform(ranges.low, clipped.cut_low().begin(), cut);
            std::ranges::transform(ranges.high, clipped.cut_high().begin(), cut);
        }
        clipped.make_grids(format.of);
    }
}

void ClipAtSums::add(const RowPanel& panel) {
    static_assert(kClipPercentiles.size() == compute::kClipsAtOnce);
    // The matrix's one scale is looked at in the groups of the other: most of them are not clipped.
    const PanelRanges::Ranges& ranges = ranges_of(panel, width_of(formats_.back().of, cols_));
    for (Format& format : formats_) {
        clip(ranges, format);
        compute::ClipSet set;
        for (ClippedGroups& clipped : format.clipped) set.clips[set.count++] = clipped.view();
        add_panel(panel, ranges, set, format.errors.data());
        if (!column_weights_.empty()) add_output(panel, ranges, format);
    }
}

// A lane of the kernel for each percentile, and one that rounds all weights to 0.
void ClipAtSums::add_output(const RowPanel& panel, const PanelRanges::Ranges& ranges, Format& format) {
    constexpr std::size_t kLanes = compute::kLanes, kCount = kClipPercentiles.size();
    static_assert(kCount < kLanes);
    const auto width = static_cast<std::size_t>(ranges.width);
    const auto per_row = static_cast<std::size_t>(ranges.per_row);
    for_groups(panel, ranges.width, [&](std::span<const float> group, std::size_t g) {
        float low[kLanes] = {}, high[kLanes] = {};
        for (std::size_t i = 0; i < kCount; ++i) {
            low[i] = format.clipped[i].cut_low()[g];
            high[i] = format.clipped[i].cut_high()[g];
        }
        double errors[kLanes];
        candidate_errors(format.of, group, low, high, &column_weights_[g % per_row * width], errors);
        for (std::size_t i = 0; i < kCount; ++i) {
            format.output[i].error += errors[i];
            format.output[i].squares += errors[kCount];
        }
    });
}

void ClipAtSums::merge(const ClipAtSums& other) {
    for (std::size_t f = 0; f < formats_.size(); ++f) {
        for (std::size_t i = 0; i < kClipPercentiles.size(); ++i) {
            assay::add(other.formats_[f].errors[i], formats_[f].errors[i]);
            formats_[f].output[i].merge(other.formats_[f].output[i]);
        }
    }
}

std::vector<ClipOutcome> ClipAtSums::outcomes() const {
    std::vector<ClipOutcome> out;
    for (const Format& format : formats_) {
        for (std::size_t i = 0; i < kClipPercentiles.size(); ++i) {
            out.push_back(outcome_of(format.errors[i], format.output[i]));
            out.back().threshold = format.thresholds[i];
        }
    }
    return out;
}

}  // namespace assay
