#include "quantize/magnitude_quantiles.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "compute/cpu/weight_kernels.h"

namespace assay {
namespace {

constexpr std::size_t kUppers = 1 << 15;  // of magnitudes: the sign is left out
constexpr std::size_t kLowers = 1 << 16;

std::uint32_t magnitude_bits(float w) {
    return std::bit_cast<std::uint32_t>(w) & 0x7fffffffu;
}

// ⌈p·n⌉, and 1 at least; a p that stands for a decimal fraction may lie above it by its rounding.
std::int64_t rank_of(double p, std::int64_t n) {
    const double rank = std::ceil(p * static_cast<double>(n) * (1 - 0x1p-50));
    return std::clamp<std::int64_t>(static_cast<std::int64_t>(rank), 1, n);
}

}  // namespace

CountTables::Table CountTables::take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return Table(size_);
    Table table = std::move(free_.back());
    free_.pop_back();
    return table;
}

void CountTables::put(Table table) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(table));
}

std::vector<std::int64_t> CountTables::total() const {
    std::vector<std::int64_t> sums(size_);
    for (const Table& table : free_) {
        for (std::size_t i = 0; i < size_; ++i) sums[i] += table[i];
    }
    return sums;
}

MagnitudeQuantiles::MagnitudeQuantiles(std::vector<double> probabilities, float floor)
    : probabilities_(std::move(probabilities)), floor_(floor), upper_(kUppers) {
    for (double p : probabilities_) {
        if (!(p > 0 && p <= 1))
            throw InvalidArgument("a quantile's probability lies above 0 and is at most 1");
    }
}

void MagnitudeQuantiles::add(const RowPanel& panel) {
    CountTables::Table table = upper_.take();
    if (floor_ > 0)
        count_above_floor(panel.w, table);
    else
        count_all(panel.w, table);
    upper_.put(std::move(table));
}

void MagnitudeQuantiles::count_all(MatrixView<const float> w, CountTables::Table& table) {
    std::uint32_t seen = 0;
    for (std::int64_t r = 0; r < w.rows(); ++r) {
        for (float x : w.row(r)) {
            const std::uint32_t bits = magnitude_bits(x);
            seen |= bits;
            ++table[bits >> 16];
        }
    }
    add_counts(0, seen);
}

void MagnitudeQuantiles::count_above_floor(MatrixView<const float> w, CountTables::Table& table) {
    std::vector<std::int32_t> columns(static_cast<std::size_t>(w.cols() + compute::kLanes));
    std::uint32_t seen = 0;
    std::int64_t below = 0;
    for (std::int64_t r = 0; r < w.rows(); ++r) {
        const auto row = w.row(r);
        compute::OutsideRow above;
        compute::weight_kernels().outside(row.data(), w.cols(), -floor_, floor_, columns.data(), &above);
        below += w.cols() - above.count;
        for (std::int64_t i = 0; i < above.count; ++i) {
            const auto column = static_cast<std::size_t>(columns[static_cast<std::size_t>(i)]);
            const std::uint32_t bits = magnitude_bits(row[column]);
            seen |= bits;
            ++table[bits >> 16];
        }
    }
    add_counts(below, seen);
}

void MagnitudeQuantiles::add_counts(std::int64_t below, std::uint32_t bits) {
    const std::lock_guard lock(mutex_);
    below_ += below;
    lower_bits_ |= bits & (kLowers - 1);
}

// Where the ranks lie; false where one is not above the floor.
bool MagnitudeQuantiles::find_places() {
    const std::vector<std::int64_t> counts = upper_.total();
    const std::int64_t n = std::accumulate(counts.begin(), counts.end(), below_);
    places_.assign(probabilities_.size(), {});
    std::vector<std::size_t> order(probabilities_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return probabilities_[a] < probabilities_[b]; });
    std::uint32_t upper = 0;
    std::int64_t before = below_;
    for (const std::size_t i : order) {
        const std::int64_t rank = n == 0 ? 0 : rank_of(probabilities_[i], n);
        if (rank <= below_ && below_ > 0) return false;
        while (upper < kUppers && before + counts[upper] < rank) before += counts[upper++];
        places_[i] = {upper, rank - before};
    }
    return true;
}

bool MagnitudeQuantiles::needs_second_look(const RowSource& source, ThreadPool& pool) {
    if (!find_places()) {
        upper_.clear();
        floor_ = 0;
        below_ = 0;
        scan_rows(source, pool, QuantileLook{this});
        find_places();
    }
    if (lower_bits_ == 0) return false;
    slot_of_upper_.assign(kUppers, 0);
    std::uint8_t slots = 0;
    for (const Place& place : places_) {
        std::uint8_t& slot = slot_of_upper_[place.upper];
        if (slot == 0) slot = ++slots;
    }
    lower_ = std::make_unique<CountTables>(slots * kLowers);
    return true;
}

void MagnitudeQuantiles::add_second(const RowPanel& panel) {
    CountTables::Table table = lower_->take();
    const std::uint32_t least = floor_ > 0 ? magnitude_bits(floor_) + 1 : 0;
    for (std::int64_t r = 0; r < panel.w.rows(); ++r) {
        for (float w : panel.w.row(r)) {
            const std::uint32_t bits = magnitude_bits(w);
            const std::size_t slot = slot_of_upper_[bits >> 16];
            if (slot > 0 && bits >= least) ++table[(slot - 1) * kLowers + (bits & (kLowers - 1))];
        }
    }
    lower_->put(std::move(table));
}

std::vector<float> MagnitudeQuantiles::quantiles() const {
    std::vector<float> out;
    const std::vector<std::int64_t> lower = lower_ ? lower_->total() : std::vector<std::int64_t>();
    for (const Place& place : places_) {
        std::uint32_t low = 0;
        if (lower_) {
            const std::size_t first = (slot_of_upper_[place.upper] - std::size_t{1}) * kLowers;
            std::int64_t before = 0;
            while (low + 1 < kLowers && before + lower[first + low] < place.rank)
                before += lower[first + low++];
        }
        out.push_back(std::bit_cast<float>(place.upper << 16 | low));
    }
    return out;
}

}  // namespace assay
