#include "analyze/experiments.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/error.h"
#include "base/rng.h"
#include "measure/activations.h"
#include "quantize/interventions.h"

namespace assay {
namespace {

int bits_of(const NumberFormat& format) {
    if (const auto* integers = std::get_if<IntFormat>(&format)) return integers->bits;
    return std::holds_alternative<Fp8Format>(format) ? 8 : 4;
}

// The same groups with 8 bits; fp8 for floats; none where there are 8 already.
std::optional<NumberFormat> with_more_bits(const NumberFormat& format) {
    if (bits_of(format) >= 8) return std::nullopt;
    if (const auto* integers = std::get_if<IntFormat>(&format)) {
        IntFormat more = *integers;
        more.bits = 8;
        return more;
    }
    return Fp8Format{};
}

std::optional<NumberFormat> with_wide_scales(const NumberFormat& format, const WeightNumerics& numerics) {
    if (numerics.subnormal_scales == 0) return std::nullopt;
    IntFormat wide = std::get<IntFormat>(format);  // others have no subnormal f16 scales
    wide.scale = ScaleType::kBf16;
    return wide;
}

// The integer format of the weights' own grid, whose zero must be on it.
std::optional<NumberFormat> format_of(const std::optional<WeightGrid>& grid) {
    if (!grid || !grid->holds_zero) return std::nullopt;
    return IntFormat{.bits = std::max(2, grid->bits),
                     .symmetric = false,
                     .tile = grid->group == 0 ? kChannelTile : group_tile(grid->group),
                     .scale = ScaleType::kF32};
}

class Planner {
  public:
    Planner(const Model& model, const Treatment& treatment, const LinearFacts& facts, std::uint64_t seed,
            SwapList& swaps)
        : item_(model.items()[facts.item]),
          format_(treatment.format),
          facts_(facts),
          seeds_(seed, facts.item),
          swaps_(swaps) {
        plan_.item = facts.item;
        base_bytes_ = bytes_in(format_);
        salient_ = most_energetic(facts_.energies, count_of_share(item_.in, kSalientShare));
        for (std::size_t m = 0; m < kNoiseDraws; ++m) signs_.push_back(seeds_.next());
    }

    LinearPlan plan() {
        plan_.base = add(rounding(format_));
        for (std::size_t m = 0; m < kNoiseDraws; ++m)
            plan_.noise.push_back(add(equal_noise(rounding(format_), seeds_.next())));
        for (const Cause cause : facts_.causes) {
            if (cause == Cause::kSalientChannels)
                add_salient_channels();
            else
                add_cause_of_weights(cause);
        }
        if (facts_.calibrated != nullptr)
            plan_.calibrated = remedy(to_string(calibrated_treatment(format_)),
                                      swaps_.add(facts_.item, facts_.calibrated), 0);
        if (const auto more = with_more_bits(format_)) plan_.more_bits.push_back(stored_in(*more));
        plan_.more_bits.push_back(remedy("16 bits", std::nullopt, 2 * item_.out * item_.in - base_bytes_));
        if (const auto own = format_of(facts_.grid)) plan_.own_grid = stored_in(*own);
        if (const auto wide = with_wide_scales(format_, facts_.numerics))
            plan_.wider_scale = stored_in(*wide);
        return std::move(plan_);
    }

  private:
    std::int64_t bytes_in(const NumberFormat& format) const {
        return storage_size(format, item_.out, item_.in).total_bytes();
    }

    std::size_t add(WeightChange change) { return swaps_.add(facts_.item, std::move(change)); }

    std::size_t remedy(std::string name, std::optional<std::size_t> swap, std::int64_t bytes) {
        plan_.remedies.push_back({std::move(name), swap, bytes});
        return plan_.remedies.size() - 1;
    }

    std::size_t stored_in(const NumberFormat& format) {
        return remedy(to_string(Treatment{format}), add(rounding(format)), bytes_in(format) - base_bytes_);
    }

    // Index of the remedy that takes a cause of the weights away by itself.
    std::size_t remedy_of(Cause cause) {
        const auto [place, is_new] = of_cause_.try_emplace(cause, 0);
        if (!is_new) return place->second;
        if (cause == Cause::kVaryingRange)
            return place->second = stored_in(*with_groups(format_, kSmallGroup));
        const std::size_t swap = add(*intervention(cause, format_));
        if (cause == Cause::kWastedRange) return place->second = remedy("clipped ranges", swap, 0);
        const std::int64_t kept = count_of_share(item_.out * item_.in, kOutlierShare);
        return place->second =
                   remedy(fmt::format("the largest {:g} % of weights in 16 bits", 100 * kOutlierShare), swap,
                          kept * (kKeptValueBytes + kKeptIndexBytes));
    }

    // One a draw, with the columns kept.
    NoiseSwaps noise(const WeightChange& change, const std::vector<std::int64_t>& kept) {
        NoiseSwaps out;
        for (std::uint64_t seed : signs_) out.push_back(add(but_columns(matched_noise(change, seed), kept)));
        return out;
    }

    // The same on Gaussian twins, with the salient channels kept.
    NoiseSwaps twin_noise(const WeightChange& change) {
        NoiseSwaps out;
        for (std::uint64_t seed : signs_)
            out.push_back(add(on_twin(but_columns(matched_noise(change, seed), salient_), ~seed)));
        return out;
    }

    void add_cause_of_weights(Cause cause) {
        const WeightChange with = *intervention(cause, format_);
        const std::size_t index = remedy_of(cause);
        if (quiet_.empty()) quiet_ = noise(rounding(format_), salient_);
        if (twin_quiet_.empty()) twin_quiet_ = twin_noise(rounding(format_));
        PlannedCause planned{.cause = cause,
                             .remedy = index,
                             .before = quiet_,
                             .after = noise(with, salient_),
                             .twin_before = twin_quiet_,
                             .twin_after = twin_noise(with),
                             .remedies = {index}};
        if (cause == Cause::kWeightOutliers) {
            for (const Cause other : {Cause::kWastedRange, Cause::kVaryingRange}) {
                if (intervention(other, format_)) planned.remedies.push_back(remedy_of(other));
            }
        }
        plan_.causes.push_back(std::move(planned));
    }

    void add_salient_channels() {
        const std::int64_t count = std::ssize(salient_);
        const std::size_t index = remedy(fmt::format("{} input channels in 16 bits", count),
                                         add(but_columns(rounding(format_), salient_)),
                                         count * (kKeptValueBytes * item_.out + kKeptIndexBytes));
        PlannedCause planned{.cause = Cause::kSalientChannels, .remedy = index, .remedies = {index}};
        planned.before = planned.twin_before = noise(rounding(format_), {});
        if (quiet_.empty()) quiet_ = noise(rounding(format_), salient_);
        planned.after = quiet_;
        for (std::uint64_t seed : signs_)
            planned.twin_after.push_back(add(but_columns(matched_noise(rounding(format_), seed),
                                                         random_columns(item_.in, count, seeds_.next()))));
        plan_.causes.push_back(std::move(planned));
    }

    const LinearItem& item_;
    const NumberFormat& format_;
    const LinearFacts& facts_;
    Rng seeds_;
    SwapList& swaps_;
    LinearPlan plan_;
    std::int64_t base_bytes_ = 0;
    std::vector<std::uint64_t> signs_;   // seeds, one a draw
    std::vector<std::int64_t> salient_;  // channels
    std::map<Cause, std::size_t> of_cause_;
    NoiseSwaps quiet_, twin_quiet_;  // noise with the salient channels kept
};

}  // namespace

void SwapList::Overlay::apply(const LinearItem& item, MatrixView<float> w) const {
    ThreadPool own_thread(1);  // passes load several linears at once, each on its own thread
    try {
        change_(w, own_thread);
    } catch (const NumericError& e) {
        throw NumericError(item.name + ": " + e.what());
    }
}

std::size_t SwapList::add(std::size_t item, WeightChange change) {
    overlays_.emplace_back(std::move(change));
    forks_.push_back({item, &overlays_.back()});
    return forks_.size() - 1;
}

std::size_t SwapList::add(std::size_t item, const WeightOverlay* overlay) {
    forks_.push_back({item, overlay});
    return forks_.size() - 1;
}

Treatment calibrated_treatment(const NumberFormat& format) {
    return parse_treatment(to_string(format) + ":gptq(act-order)");
}

bool grid_decides(const std::optional<WeightGrid>& grid, const NumberFormat& format) {
    return grid && grid->bits <= bits_of(format) + 1;
}

LinearPlan plan_experiments(const Model& model, const Treatment& treatment, const LinearFacts& facts,
                            std::uint64_t seed, SwapList& swaps) {
    if (treatment.method != "rtn")
        throw InvalidArgument("findings are made for round-to-nearest treatments, not " +
                              to_string(treatment));
    return Planner(model, treatment, facts, seed, swaps).plan();
}

}  // namespace assay
