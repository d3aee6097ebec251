#include "quantize/weight_outliers.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace assay {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// The float furthest from the mean, on the side of `away`, that is inside.
float limit(const WeightMoments& of, double k, float away) {
    const double distance = k * of.std;
    const auto inside = [&](float x) { return std::abs(static_cast<double>(x) - of.mean) <= distance; };
    constexpr double kLargest = std::numeric_limits<float>::max();
    const double end = of.mean + (away > 0 ? distance : -distance);
    float x = static_cast<float>(std::clamp(end, -kLargest, kLargest));
    const auto middle = static_cast<float>(of.mean);
    while (!inside(x) && x != middle) x = std::nextafter(x, middle);
    while (inside(std::nextafter(x, away))) x = std::nextafter(x, away);
    return x;
}

// The largest energies, the first of equals first.
std::vector<OutlierPart> worst(std::vector<OutlierPart> parts) {
    std::erase_if(parts, [](const OutlierPart& p) { return p.count == 0; });
    const std::size_t kept = std::min(parts.size(), kWorstParts);
    std::partial_sort(parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(kept), parts.end(),
                      [](const OutlierPart& a, const OutlierPart& b) {
                          return a.energy != b.energy ? a.energy > b.energy : a.index < b.index;
                      });
    parts.resize(kept);
    return parts;
}

double width(float low, float high) {
    return high > low ? static_cast<double>(high) - static_cast<double>(low) : 0;
}

}  // namespace

SigmaBand sigma_band(const WeightMoments& of, double k) {
    if (!(k > 0)) throw InvalidArgument("the number of standard deviations must be positive");
    if (of.std == 0) return {of.min, of.max};
    return {limit(of, k, -kInfinity), limit(of, k, kInfinity)};
}

std::optional<double> range_ratio(double range, double range_without) {
    if (range_without == 0) return std::nullopt;
    return range / range_without;
}

std::optional<double> quantization_waste(double range, double range_without) {
    if (range == 0) return std::nullopt;
    return 1 - range_without / range;
}

void OutlierSums::Inside::add(float low_too, float high_too) {
    low = std::min(low, low_too);
    high = std::max(high, high_too);
}

OutlierSums::OutlierSums(const WeightMoments& of, std::int64_t cols) : of_(of), cols_(cols) {
    for (std::size_t i = 0; i < bands_.size(); ++i) bands_[i] = sigma_band(of, kOutlierSigmas[i]);
}

void OutlierSums::add_outlier(std::int64_t column, float w) {
    const auto c = static_cast<std::size_t>(column);
    const double away = static_cast<double>(w) - of_.mean, energy = away * away;
    const float size = std::abs(w);
    OutlierPart& row = rows_.back();
    ++row.count;
    row.max_abs = std::max(row.max_abs, size);
    row.energy += energy;
    ++columns_.counts[c];
    columns_.max_abs[c] = std::max(columns_.max_abs[c], size);
    columns_.energies[c] += energy;
    ++counts_[0];
    for (std::size_t i = 1; i < bands_.size(); ++i) counts_[i] += w < bands_[i].low || w > bands_[i].high;
    if (w >= bands_[1].low && w <= bands_[1].high) inside_4s_.add(w, w);
}

void OutlierSums::add(const RowPanel& panel) {
    const compute::WeightKernels& kernels = compute::weight_kernels();
    found_.resize(static_cast<std::size_t>(cols_) + compute::kLanes);
    for (std::int64_t r = 0; r < panel.w.rows(); ++r) {
        const auto row = panel.w.row(r);
        compute::OutsideRow outside;
        kernels.outside(row.data(), cols_, bands_[0].low, bands_[0].high, found_.data(), &outside);
        inside_3s_.add(outside.low, outside.high);
        if (outside.count == 0) continue;
        columns_.counts.resize(static_cast<std::size_t>(cols_));
        columns_.max_abs.resize(static_cast<std::size_t>(cols_));
        columns_.energies.resize(static_cast<std::size_t>(cols_));
        rows_.push_back({.index = panel.first_row + r});
        for (std::int64_t i = 0; i < outside.count; ++i) {
            const std::int32_t column = found_[static_cast<std::size_t>(i)];
            add_outlier(column, row[static_cast<std::size_t>(column)]);
        }
        magnitude_ = std::max(magnitude_, rows_.back().max_abs);
    }
}

void OutlierSums::merge(OutlierSums&& other) {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    magnitude_ = std::max(magnitude_, other.magnitude_);
    inside_3s_.add(other.inside_3s_.low, other.inside_3s_.high);
    inside_4s_.add(other.inside_4s_.low, other.inside_4s_.high);
    rows_.insert(rows_.end(), other.rows_.begin(), other.rows_.end());
    if (columns_.counts.empty()) {
        columns_ = std::move(other.columns_);
        return;
    }
    for (std::size_t c = 0; c < other.columns_.counts.size(); ++c) {
        columns_.counts[c] += other.columns_.counts[c];
        columns_.max_abs[c] = std::max(columns_.max_abs[c], other.columns_.max_abs[c]);
        columns_.energies[c] += other.columns_.energies[c];
    }
}

std::vector<OutlierPart> OutlierSums::column_parts() const {
    std::vector<OutlierPart> parts;
    for (std::size_t c = 0; c < columns_.counts.size(); ++c)
        parts.push_back(
            {static_cast<std::int64_t>(c), columns_.counts[c], columns_.max_abs[c], columns_.energies[c]});
    return parts;
}

WeightOutliers OutlierSums::outliers() const {
    WeightOutliers out{.counts = counts_,
                       .magnitude = magnitude_,
                       .range = width(of_.min, of_.max),
                       .range_without_3s = width(inside_3s_.low, inside_3s_.high),
                       .range_without_4s = width(std::min(inside_3s_.low, inside_4s_.low),
                                                 std::max(inside_3s_.high, inside_4s_.high)),
                       .rows = worst(rows_),
                       .columns = worst(column_parts())};
    for (double energy : columns_.energies) out.energy += energy;
    return out;
}

}  // namespace assay
