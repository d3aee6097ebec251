#include "quantize/weight_outliers.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/checked.h"
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

// Appends the weights outside of the band. Returns low and high of the others.
compute::OutsideRow find_outside(std::span<const float> row, const SigmaBand& band,
                                 std::vector<std::int32_t>& columns, std::vector<PlacedWeight>& to) {
    columns.resize(row.size() + compute::kLanes);
    compute::OutsideRow outside;
    compute::weight_kernels().outside(row.data(), std::ssize(row), band.low, band.high, columns.data(),
                                      &outside);
    for (std::int64_t i = 0; i < outside.count; ++i) {
        const std::int32_t column = columns[static_cast<std::size_t>(i)];
        to.push_back({column, row[static_cast<std::size_t>(column)]});
    }
    return outside;
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

// Which of the weights are outliers cannot be foretold: those that are not add nothing, without a branch.
void OutlierSums::add_row(std::int64_t row, std::span<const PlacedWeight> weights) {
    if (weights.empty()) return;
    columns_.counts.resize(static_cast<std::size_t>(cols_));
    columns_.max_abs.resize(static_cast<std::size_t>(cols_));
    columns_.energies.resize(static_cast<std::size_t>(cols_));
    OutlierPart part{.index = row};
    const Inside none;
    for (const auto& [column, w] : weights) {
        bool out[kOutlierSigmas.size()];
        for (std::size_t i = 0; i < bands_.size(); ++i) {
            out[i] = static_cast<int>(w < bands_[i].low) + static_cast<int>(w > bands_[i].high) != 0;
            counts_[i] += out[i] ? 1 : 0;
        }
        const bool between = out[0] && !out[1];  // 3 and 4 std
        inside_3s_.add(out[0] ? none.low : w, out[0] ? none.high : w);
        inside_4s_.add(between ? w : none.low, between ? w : none.high);
        const double away = static_cast<double>(w) - of_.mean, energy = out[0] ? away * away : 0.0;
        const float size = out[0] ? std::abs(w) : 0.0f;
        const auto c = static_cast<std::size_t>(column);
        columns_.counts[c] += out[0] ? 1 : 0;
        columns_.max_abs[c] = std::max(columns_.max_abs[c], size);
        columns_.energies[c] += energy;
        part.count += out[0] ? 1 : 0;
        part.max_abs = std::max(part.max_abs, size);
        part.energy += energy;
    }
    if (part.count == 0) return;
    rows_.push_back(part);
    magnitude_ = std::max(magnitude_, part.max_abs);
}

void OutlierSums::add(const RowPanel& panel) {
    for (std::int64_t r = 0; r < panel.w.rows(); ++r) {
        placed_.clear();
        const compute::OutsideRow others = find_outside(panel.w.row(r), bands_[0], found_, placed_);
        add_inside(others.low, others.high);
        add_row(panel.first_row + r, placed_);
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

SigmaBand likely_inside(const RowSource& w) {
    constexpr std::int64_t kMostRows = 64, kRowsForOne = 64, kEnoughWeights = 2048;
    if (w.rows == 0 || w.cols == 0) return {};
    const std::int64_t wanted = std::max(ceil_div(w.rows, kRowsForOne), ceil_div(kEnoughWeights, w.cols));
    const std::int64_t count = std::min({wanted, kMostRows, w.rows});
    Matrix<float> row(1, w.cols);
    double sum = 0, squares = 0;
    for (std::int64_t i = 0; i < count; ++i) {
        w.read(i * w.rows / count, row.view());
        compute::PowerRow powers;
        compute::weight_kernels().powers(row.values().data(), w.cols, 0, &powers);
        sum += powers.sums[0];
        squares += powers.sums[1];
    }
    const double n = static_cast<double>(count) * static_cast<double>(w.cols), mean = sum / n;
    const double half = kLikelySigmas * std::sqrt(std::max(0.0, squares / n - mean * mean));
    if (!std::isfinite(half)) return {};
    return {static_cast<float>(mean - half), static_cast<float>(mean + half)};
}

void OutlierCandidates::add(const RowPanel& panel) {
    if (shares_.empty()) shares_.emplace_back();
    Share& share = shares_.back();
    for (std::int64_t r = 0; r < panel.w.rows() && !too_many_; ++r) {
        const compute::OutsideRow others = find_outside(panel.w.row(r), band_, found_, share.weights);
        share.low = std::min(share.low, others.low);
        share.high = std::max(share.high, others.high);
        if (others.count > 0) share.rows.push_back({panel.first_row + r, share.weights.size()});
        too_many_ = share.weights.size() > kMost;
    }
    if (too_many_) shares_.clear();
}

void OutlierCandidates::merge(OutlierCandidates&& other) {
    too_many_ = too_many_ || other.too_many_;
    for (Share& share : other.shares_) shares_.push_back(std::move(share));
    if (too_many_) shares_.clear();
}

std::optional<WeightOutliers> OutlierCandidates::outliers(const WeightMoments& of, ThreadPool& pool) const {
    if (too_many_) return std::nullopt;
    const OutlierSums empty(of, cols_);
    const SigmaBand allowed = sigma_band(of, kOutlierSigmas[0]);
    if (band_.low < allowed.low || band_.high > allowed.high) return std::nullopt;
    std::vector<OutlierSums> parts(shares_.size(), empty);
    pool.for_each(std::ssize(shares_), [&](std::int64_t i) {
        const Share& share = shares_[static_cast<std::size_t>(i)];
        OutlierSums& sums = parts[static_cast<std::size_t>(i)];
        sums.add_inside(share.low, share.high);
        std::size_t first = 0;
        for (const Row& row : share.rows) {
            sums.add_row(row.index, std::span(share.weights).subspan(first, row.end - first));
            first = row.end;
        }
    });
    OutlierSums all = empty;
    for (OutlierSums& part : parts) all.merge(std::move(part));
    return all.outliers();
}

}  // namespace assay
