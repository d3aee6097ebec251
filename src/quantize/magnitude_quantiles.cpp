#include "quantize/magnitude_quantiles.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "base/error.h"

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

MagnitudeQuantiles::MagnitudeQuantiles(std::vector<double> probabilities)
    : probabilities_(std::move(probabilities)), upper_(kUppers) {
    for (double p : probabilities_) {
        if (!(p > 0 && p <= 1))
            throw InvalidArgument("a quantile's probability lies above 0 and is at most 1");
    }
}

void MagnitudeQuantiles::add(const RowPanel& panel) {
    CountTables::Table table = upper_.take();
    std::uint32_t lower_bits = 0;
    for (std::int64_t r = 0; r < panel.w.rows(); ++r) {
        for (float w : panel.w.row(r)) {
            const std::uint32_t bits = magnitude_bits(w);
            lower_bits |= bits;
            ++table[bits >> 16];
        }
    }
    upper_.put(std::move(table));
    const std::lock_guard lock(mutex_);
    lower_bits_ |= lower_bits & (kLowers - 1);
}

// Where the ranks lie in counts of ascending values.
std::vector<MagnitudeQuantiles::Place> MagnitudeQuantiles::places(
    const std::vector<std::int64_t>& counts) const {
    const std::int64_t n = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
    std::vector<Place> found;
    for (double p : probabilities_) {
        Place place;
        std::int64_t before = 0;
        const std::int64_t rank = n == 0 ? 0 : rank_of(p, n);
        while (place.upper < kUppers && before + counts[place.upper] < rank) before += counts[place.upper++];
        place.rank = rank - before;
        found.push_back(place);
    }
    return found;
}

bool MagnitudeQuantiles::needs_second_look() {
    places_ = places(upper_.total());
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
    for (std::int64_t r = 0; r < panel.w.rows(); ++r) {
        for (float w : panel.w.row(r)) {
            const std::uint32_t bits = magnitude_bits(w);
            const std::size_t slot = slot_of_upper_[bits >> 16];
            if (slot > 0) ++table[(slot - 1) * kLowers + (bits & (kLowers - 1))];
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
