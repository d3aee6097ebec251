#include "analyze/experiments.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/rng.h"
#include "measure/activations.h"
#include "quantize/interventions.h"
#include "quantize/rtn.h"

namespace assay {
namespace {

Matrix<float> copy_of(MatrixView<const float> w) {
    Matrix<float> copy(w.rows(), w.cols());
    for (std::int64_t r = 0; r < w.rows(); ++r)
        std::copy(w.row(r).begin(), w.row(r).end(), copy.row(r).begin());
    return copy;
}

WeightChange rounding(const NumberFormat& format) {
    return [format](MatrixView<float> w, ThreadPool& pool) { rtn(w, format, w, pool); };
}

WeightChange but_columns(WeightChange change, std::vector<std::int64_t> columns) {
    return [change = std::move(change), columns = std::move(columns)](MatrixView<float> w, ThreadPool& pool) {
        change_but_columns(w, columns, [&] { change(w, pool); });
    };
}

// W + (change(T) - T), T the Gaussian twin of W.
WeightChange on_twin(WeightChange change, std::uint64_t seed) {
    return [change = std::move(change), seed](MatrixView<float> w, ThreadPool& pool) {
        const Matrix<float> twin = gaussian_twin(w, seed);
        Matrix<float> changed = twin;
        change(changed.view(), pool);
        for (std::int64_t r = 0; r < w.rows(); ++r) {
            for (std::int64_t c = 0; c < w.cols(); ++c) w(r, c) += changed.view()(r, c) - twin.view()(r, c);
        }
    };
}

WeightChange noise_instead(const WeightChange& change, std::uint64_t seed) {
    return [change, seed](MatrixView<float> w, ThreadPool& pool) {
        Matrix<float> changed = copy_of(w);
        change(changed.view(), pool);
        add_equal_noise(w, changed.view(), seed);
    };
}

// `count` different ones of [0, n), each choice as likely; n >= count.
std::vector<std::int64_t> random_columns(std::int64_t n, std::int64_t count, std::uint64_t seed) {
    Rng rng(seed);
    std::vector<std::int64_t> all(static_cast<std::size_t>(n));
    std::iota(all.begin(), all.end(), std::int64_t{0});
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i)
        std::swap(all[i], all[i + rng.below(all.size() - i)]);
    all.resize(static_cast<std::size_t>(count));
    std::sort(all.begin(), all.end());
    return all;
}

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
    }

    LinearPlan plan() {
        salient_ = most_energetic(facts_.energies, count_of_share(item_.in, kSalientShare));
        plan_.base = add(rounding(format_));
        for (std::size_t m = 0; m < kTwinDraws; ++m) {
            twin_seeds_.push_back(seeds_.next());
            plan_.bases.push_back(add(on_twin(but_salient(rounding(format_)), twin_seeds_.back())));
            plan_.noise.push_back(add(noise_instead(rounding(format_), seeds_.next())));
        }
        const std::size_t quiet = add_salient_channels();
        if (!grid_decides(facts_.grid, format_)) add_weight_causes(quiet);
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

    WeightChange but_salient(WeightChange change) const { return but_columns(std::move(change), salient_); }

    // The remedy `index` does `change`, which is tried beside the swap `quiet`, where the salient channels
    // are kept, and on the Gaussian twins.
    PlannedCause& add_cause(std::string name, std::size_t index, std::size_t quiet,
                            const WeightChange& change) {
        PlannedCause cause{.cause = std::move(name),
                           .remedy = index,
                           .before = quiet,
                           .after = add(but_salient(change)),
                           .twins = {},
                           .twin_bases = plan_.bases,
                           .remedies = {index}};
        for (std::uint64_t seed : twin_seeds_) cause.twins.push_back(add(on_twin(but_salient(change), seed)));
        plan_.causes.push_back(std::move(cause));
        return plan_.causes.back();
    }

    void add_weight_causes(std::size_t quiet) {
        const NumberFormat format = format_;
        const std::int64_t kept = count_of_share(item_.out * item_.in, kOutlierShare);
        const WeightChange keep = [format](MatrixView<float> w, ThreadPool& pool) {
            round_but_largest(w, format, kOutlierShare, pool);
        };
        const WeightChange clip = [format](MatrixView<float> w, ThreadPool& pool) {
            round_clipped(w, format, pool);
        };
        const std::size_t keeping =
            remedy(fmt::format("the largest {:g} % of weights in 16 bits", 100 * kOutlierShare), add(keep),
                   kept * (kKeptValueBytes + kKeptIndexBytes));
        const std::size_t clipping = remedy("clipped ranges", add(clip), 0);
        std::vector<std::size_t> against_outliers{keeping, clipping};
        add_cause("wasted_range", clipping, quiet, clip);
        if (const auto small = with_groups(format, kSmallGroup)) {
            against_outliers.push_back(stored_in(*small));
            add_cause("varying_range", against_outliers.back(), quiet, rounding(*small));
        }
        add_cause("weight_outliers", keeping, quiet, keep).remedies = against_outliers;
    }

    // Returns the swap with these channels kept.
    std::size_t add_salient_channels() {
        const std::int64_t count = std::ssize(salient_);
        const std::size_t swap = add(but_salient(rounding(format_)));
        const std::size_t index = remedy(fmt::format("{} input channels in 16 bits", count), swap,
                                         count * (kKeptValueBytes * item_.out + kKeptIndexBytes));
        PlannedCause cause{.cause = "salient_channels",
                           .remedy = index,
                           .before = plan_.base,
                           .after = swap,
                           .twins = {},
                           .twin_bases = std::vector<std::size_t>(kTwinDraws, plan_.base),
                           .remedies = {index}};
        for (std::size_t m = 0; m < kTwinDraws; ++m)
            cause.twins.push_back(
                add(but_columns(rounding(format_), random_columns(item_.in, count, seeds_.next()))));
        plan_.causes.push_back(std::move(cause));
        return swap;
    }

    const LinearItem& item_;
    const NumberFormat& format_;
    const LinearFacts& facts_;
    Rng seeds_;
    SwapList& swaps_;
    LinearPlan plan_;
    std::int64_t base_bytes_ = 0;
    std::vector<std::uint64_t> twin_seeds_;
    std::vector<std::int64_t> salient_;  // channels
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
