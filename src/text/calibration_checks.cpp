#include "text/calibration_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace assay {
namespace {

constexpr std::uint64_t kBase = 0x9e3779b97f4a7c15u;      // odd: multiplying by it loses nothing
constexpr std::size_t kMostGrams = std::size_t{1} << 21;  // that are remembered at once, about

// The hash Σ t_i · kBase^(n-1-i) of each n-gram, in order.
std::vector<std::uint64_t> gram_hashes(std::span<const std::int32_t> ids, std::int64_t n) {
    std::vector<std::uint64_t> hashes;
    std::uint64_t hash = 0, leaving = 1;  // kBase^n
    for (std::int64_t i = 0; i < n; ++i) leaving *= kBase;
    for (std::int64_t i = 0; i < std::ssize(ids); ++i) {
        hash = hash * kBase + static_cast<std::uint64_t>(ids[i]) + 1;
        if (i >= n) hash -= leaving * (static_cast<std::uint64_t>(ids[i - n]) + 1);
        if (i >= n - 1) hashes.push_back(hash ^ (hash >> 29));
    }
    return hashes;
}

double share(std::size_t part, std::size_t all) {
    return all == 0 ? 0 : static_cast<double>(part) / static_cast<double>(all);
}

std::size_t repeated_grams(std::vector<std::uint64_t> hashes) {
    std::sort(hashes.begin(), hashes.end());
    return static_cast<std::size_t>(hashes.end() - std::unique(hashes.begin(), hashes.end()));
}

double most_frequent_share(const std::vector<std::int32_t>& window) {
    std::unordered_map<std::int32_t, std::size_t> counts;
    std::size_t most = 0;
    for (const std::int32_t id : window) most = std::max(most, ++counts[id]);
    return share(most, window.size());
}

// Of the 16-grams of windows, those that are looked at.
class SharedGrams {
  public:
    SharedGrams(TokenRows windows, std::span<const std::int32_t> evaluation) {
        std::size_t all = 0;
        for (const auto& window : windows) all += window.size();
        every_ = 1 + all / kMostGrams;
        for (const std::uint64_t hash : looked_at(evaluation)) evaluation_.insert(hash);
    }

    void add(const std::vector<std::int32_t>& window, CalibrationFaults& faults) {
        const auto hashes = looked_at(window);
        std::size_t seen = 0, overlap = 0;
        for (const std::uint64_t hash : hashes) {
            seen += seen_.contains(hash) ? 1 : 0;
            overlap += evaluation_.contains(hash) ? 1 : 0;
        }
        seen_.insert(hashes.begin(), hashes.end());
        all_ += hashes.size();
        overlap_ += overlap;
        if (share(seen, hashes.size()) > kMostShared) ++faults.duplicate_windows;
        if (share(overlap, hashes.size()) > kMostOverlap) ++faults.overlapping_windows;
    }

    double overlap_share() const { return share(overlap_, all_); }

  private:
    std::vector<std::uint64_t> looked_at(std::span<const std::int32_t> ids) const {
        auto hashes = gram_hashes(ids, kSharedGram);
        if (every_ > 1) std::erase_if(hashes, [this](std::uint64_t hash) { return hash % every_ != 0; });
        return hashes;
    }

    std::size_t every_ = 1;
    std::unordered_set<std::uint64_t> evaluation_, seen_;
    std::size_t all_ = 0, overlap_ = 0;
};

std::string of_windows(std::int64_t some, std::size_t all) {
    return fmt::format("{} of {} windows", some, all);
}

}  // namespace

CalibrationFaults look_for_faults(TokenRows windows, std::span<const std::int32_t> evaluation) {
    CalibrationFaults faults;
    SharedGrams shared(windows, evaluation);
    std::size_t grams = 0, repeated = 0;
    for (const auto& window : windows) {
        const auto hashes = gram_hashes(window, kRepeatedGram);
        const std::size_t own = repeated_grams(hashes);
        grams += hashes.size();
        repeated += own;
        if (share(own, hashes.size()) > kMostRepeated) ++faults.repetitive_windows;
        if (most_frequent_share(window) > kMostOfOneToken) ++faults.degenerate_windows;
        shared.add(window, faults);
    }
    faults.repeated_share = share(repeated, grams);
    faults.overlap_share = shared.overlap_share();
    return faults;
}

std::vector<CalibrationWarning> calibration_warnings(const SampledWindows& sampled,
                                                     const CalibrationFaults& faults,
                                                     const CalibrationExpectations& expected) {
    std::vector<CalibrationWarning> warnings;
    const auto warn = [&](bool holds, const char* kind, const std::string& text) {
        if (holds) warnings.push_back({kind, text});
    };
    const std::size_t count = sampled.windows.size();
    const std::int64_t length = expected.asked.length, tokens = static_cast<std::int64_t>(count) * length;
    warn(static_cast<std::int64_t>(count) < expected.asked.samples, "too_few_samples",
         fmt::format("the text gives {} windows of {} tokens, {} were asked for; give more text or a smaller "
                     "--length",
                     count, length, expected.asked.samples));
    warn(tokens < expected.least_tokens, "too_few_tokens",
         fmt::format("{} tokens are few: statistics of the model's widest input want {} or more; raise "
                     "--samples or --length",
                     tokens, expected.least_tokens));
    warn(
        2 * sampled.joined_windows > static_cast<std::int64_t>(count), "short_documents",
        fmt::format("{} hold parts of several documents, which the model reads as one text; longer documents "
                    "or a smaller --length show it whole ones",
                    of_windows(sampled.joined_windows, count)));
    warn(sampled.repeated_documents > 0, "duplicates",
         fmt::format("{} of {} documents read have the text of one before; they were left out",
                     sampled.repeated_documents, sampled.documents_read));
    warn(faults.duplicate_windows > 0, "duplicates",
         fmt::format("{} share more than {:.0f} % of their {}-token runs with windows before them",
                     of_windows(faults.duplicate_windows, count), 100 * kMostShared, kSharedGram));
    warn(faults.repetitive_windows > 0, "repetitive",
         fmt::format("{} repeat more than {:.0f} % of their {}-token runs",
                     of_windows(faults.repetitive_windows, count), 100 * kMostRepeated, kRepeatedGram));
    warn(faults.degenerate_windows > 0, "degenerate",
         fmt::format("in {} one token makes up more than a third",
                     of_windows(faults.degenerate_windows, count)));
    warn(faults.overlapping_windows > 0, "overlap",
         fmt::format("{} share more than {:.0f} % of their {}-token runs with the evaluation text ({}): what "
                     "is measured there will look too good",
                     of_windows(faults.overlapping_windows, count), 100 * kMostOverlap, kSharedGram,
                     expected.evaluation));
    warn(!expected.unused_bos.empty() && !sampled.bos, "no_bos",
         fmt::format("the windows begin without BOS: the tokenizer has one ({}) but does not put it before "
                     "texts",
                     expected.unused_bos));
    return warnings;
}

}  // namespace assay
