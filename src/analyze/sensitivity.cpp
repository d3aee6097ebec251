#include "analyze/sensitivity.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>
#include <utility>

#include "analyze/ranking.h"
#include "analyze/swap_sweep.h"
#include "base/error.h"
#include "measure/damage_estimate.h"
#include "measure/runs.h"
#include "measure/summary.h"
#include "stats/quadratic_interval.h"
#include "treat/treatment_overlay.h"

namespace assay {
namespace {

// One item under one treatment.
struct Swap {
    std::size_t item = 0;       // index into Model::items()
    std::size_t treatment = 0;  // index into the treatments
};

// What one item and treatment are estimated to do, after ρ and calibration.
struct Estimate {
    Swap swap;
    ScoredDamage damage;
};

std::optional<Interval> scaled(const std::optional<Interval>& interval, double factor) {
    if (!interval) return std::nullopt;
    return Interval{interval->low * factor, interval->high * factor};
}

// What a row says of its linear whatever was measured.
SensitivityLinear describe(const Model& model, std::size_t index, const std::string& treatment) {
    const LinearItem& item = model.items()[index];
    SensitivityLinear out;
    out.name = item.name;
    out.treatment = treatment;
    out.projection = item.projection;
    out.parameters = item.out * item.in;
    if (item.block >= 0) {
        out.block = item.block;
        out.depth = depth_name(item.block, model.config().layers);
    } else {
        out.depth = item.role == LinearItem::Role::kHead ? "head" : "embedding";
    }
    return out;
}

// Fills in what a swap measured.
void fill(const SweepResult& sweep, SwapMeasurement swap, std::uint64_t seed, SensitivityLinear& out) {
    const DamageSummary damage = summarize_damage(sweep.baseline, swap.blocks, seed);
    out.basis = "measured";
    out.kl = damage.kl;
    out.kl_ci95 = damage.kl_ci95;
    out.delta_nll = damage.delta_nll;
    out.delta_nll_ci95 = damage.delta_nll_ci95;
    out.delta_ppl = damage.delta_ppl;
    out.delta_ppl_ci95 = damage.delta_ppl_ci95;
    out.relative_delta_ppl = damage.relative_delta_ppl;
    out.relative_delta_ppl_ci95 = damage.relative_delta_ppl_ci95;
    out.relative_output_error = swap.relative_output_error;
    if (const double error = swap.relative_output_error.value_or(0); error > 0)
        out.damage_per_output_error = out.kl / (error * error);
    out.propagation = std::move(swap.propagation);
    out.windows = window_sums(swap.blocks, true);
    out.blocks = std::move(swap.blocks);
}

// The parts with the largest shares.
std::vector<PartShare> largest(const std::vector<double>& shares) {
    std::vector<PartShare> all;
    for (std::size_t i = 0; i < shares.size(); ++i) all.push_back({static_cast<std::int64_t>(i), shares[i]});
    std::stable_sort(all.begin(), all.end(),
                     [](const PartShare& a, const PartShare& b) { return a.share > b.share; });
    all.resize(std::min(all.size(), kKeptParts));
    return all;
}

DamageParts parts_of(const Attribution& attribution) {
    DamageParts parts{largest(attribution.rows), largest(attribution.columns), {}};
    for (std::size_t h = 0; h < attribution.heads.size(); ++h) {
        const HeadPart& head = attribution.heads[h];
        parts.heads.push_back({head.part, head.head, attribution.head_shares[h]});
    }
    return parts;
}

// ρ by projection, over all treatments.
class BlockRatios {
  public:
    void add(const std::string& projection, const DamageEstimate& estimate) {
        own_[projection].add(estimate);
        all_.add(estimate);
    }
    double of(const std::string& projection) const { return block_ratio(own_.at(projection), all_); }

  private:
    std::map<std::string, RatioSums> own_;
    RatioSums all_;
};

class Sensitivity {
  public:
    Sensitivity(const Model& model, const Engine& engine, std::span<const EvaluationWindow> windows,
                std::span<const NamedChange> changes, const SensitivityOptions& options)
        : model_(model), engine_(engine), windows_(windows), changes_(changes), options_(options) {}

    SensitivityResult exact() {
        std::vector<Swap> swaps;
        for (std::size_t f = 0; f < changes_.size(); ++f) {
            for (std::size_t i : options_.items) swaps.push_back({i, f});
        }
        measure(swaps);
        return result();
    }

    SensitivityResult scored() {
        std::vector<Swap> swaps = score();
        if (options_.method == SensitivityMethod::kHybrid) choose(swaps);
        if (!swaps.empty()) measure(swaps);
        calibrate();
        return result();
    }

  private:
    // Fills estimates_; returns the swaps of items that cannot be scored.
    std::vector<Swap> score() {
        ScoreOptions options{.items = options_.items, .treatments = {}, .seed = options_.seed};
        for (const NamedChange& change : changes_) options.treatments.push_back(change.overlay);
        if (options_.parts) options.attributed = options_.items;
        const ScoreResult scores = score_treatments(model_, engine_, windows_, options);
        baseline_ = scores.baseline;
        std::vector<DamageEstimate> damage;
        BlockRatios ratios;
        for (const TreatmentScore& s : scores.scores) {
            damage.push_back(estimate_damage(scores, s.sums));
            ratios.add(model_.items()[s.item].projection, damage.back());
        }
        for (std::size_t i = 0; i < damage.size(); ++i) {
            const TreatmentScore& s = scores.scores[i];
            const double ratio = ratios.of(model_.items()[s.item].projection);
            const Interval around = quadratic_interval(damage[i].kl, damage[i].se);
            estimates_.push_back(
                {{s.item, s.treatment},
                 {.kl = ratio * damage[i].kl, .kl_ci95 = scaled(around, ratio), .block_ratio = ratio}});
        }
        for (const Attribution& a : scores.attributions) parts_[{a.treatment, a.item}] = parts_of(a);
        std::vector<Swap> unscored;
        for (std::size_t i : scores.unscored) {
            for (std::size_t f = 0; f < changes_.size(); ++f) unscored.push_back({i, f});
        }
        return unscored;
    }

    // Adds what hybrid measures.
    void choose(std::vector<Swap>& swaps) const {
        for (std::size_t f = 0; f < changes_.size(); ++f) {
            std::vector<const Estimate*> ranked;
            double sum = 0;
            for (const Estimate& e : estimates_) {
                if (e.swap.treatment != f) continue;
                ranked.push_back(&e);
                sum += e.damage.kl;
            }
            std::stable_sort(ranked.begin(), ranked.end(), [](const Estimate* a, const Estimate* b) {
                return a->damage.kl > b->damage.kl;
            });
            const double mean = ranked.empty() ? 0 : sum / static_cast<double>(ranked.size());
            std::size_t borderline = 0;
            for (std::size_t i = 0; i < ranked.size(); ++i) {
                const bool near = i >= options_.top && borderline < options_.borderline &&
                                  holds_category_border(ranked[i]->damage.kl_ci95, mean);
                if (i < options_.top || near) swaps.push_back(ranked[i]->swap);
                borderline += near ? 1 : 0;
            }
        }
    }

    void measure(const std::vector<Swap>& swaps) {
        std::vector<Fork> forks;
        for (const Swap& swap : swaps) forks.push_back({swap.item, changes_[swap.treatment].overlay});
        SweepResult sweep = sweep_swaps(model_, engine_, windows_, forks, options_.seed);
        for (std::size_t i = 0; i < swaps.size(); ++i) {
            SensitivityLinear row = describe(model_, swaps[i].item, changes_[swaps[i].treatment].name);
            fill(sweep, std::move(sweep.swaps[i]), options_.seed, row);
            measured_[{swaps[i].treatment, swaps[i].item}] = std::move(row);
        }
        baseline_ = std::move(sweep.baseline);
        control_ = sweep.control;
    }

    // Multiplies each treatment's estimates by the geometric mean of measured / scored damage.
    void calibrate() {
        for (std::size_t f = 0; f < changes_.size(); ++f) {
            double logs = 0;
            std::size_t count = 0;
            for (const Estimate& e : estimates_) {
                const auto found = measured_.find({f, e.swap.item});
                if (e.swap.treatment != f || found == measured_.end() || e.damage.kl <= 0 ||
                    !(found->second.kl > options_.noise_floor))
                    continue;
                logs += std::log(found->second.kl / e.damage.kl);
                ++count;
            }
            const double factor =
                count >= kCalibrationSwaps ? std::exp(logs / static_cast<double>(count)) : 1.0;
            for (Estimate& e : estimates_) {
                if (e.swap.treatment != f) continue;
                e.damage.kl *= factor;
                e.damage.kl_ci95 = scaled(e.damage.kl_ci95, factor);
                e.damage.calibration = factor;
            }
        }
    }

    SensitivityResult result() {
        std::map<std::pair<std::size_t, std::size_t>, SensitivityLinear> rows = std::move(measured_);
        for (const Estimate& e : estimates_) {
            const auto [place, is_new] = rows.try_emplace({e.swap.treatment, e.swap.item});
            SensitivityLinear& row = place->second;
            if (is_new) {
                row = describe(model_, e.swap.item, changes_[e.swap.treatment].name);
                row.basis = "scored";
                row.kl = e.damage.kl;
                row.kl_ci95 = e.damage.kl_ci95;
            }
            row.scored = e.damage;
            if (const auto parts = parts_.find({e.swap.treatment, e.swap.item}); parts != parts_.end())
                row.parts = parts->second;
        }
        SensitivityResult out;
        out.baseline = perplexity_result(baseline_, longest_window(windows_));
        out.control = control_;
        for (std::size_t f = 0; f < changes_.size(); ++f) {
            out.treatment += (f > 0 ? ", " : "") + changes_[f].name;
            std::vector<SensitivityLinear> linears;
            for (auto& [key, row] : rows) {
                if (key.first == f) linears.push_back(std::move(row));
            }
            rank_linears(linears, options_.noise_floor);
            std::move(linears.begin(), linears.end(), std::back_inserter(out.linears));
        }
        return out;
    }

    const Model& model_;
    const Engine& engine_;
    std::span<const EvaluationWindow> windows_;
    std::span<const NamedChange> changes_;
    const SensitivityOptions& options_;
    std::vector<Estimate> estimates_;
    std::map<std::pair<std::size_t, std::size_t>, DamageParts> parts_;           // by treatment and item
    std::map<std::pair<std::size_t, std::size_t>, SensitivityLinear> measured_;  // by treatment and item
    std::vector<BlockSums> baseline_;
    std::optional<Control> control_;
};

}  // namespace

SensitivityResult measure_changes(const Model& model, const Engine& engine,
                                  std::span<const EvaluationWindow> windows,
                                  std::span<const NamedChange> changes, const SensitivityOptions& options) {
    if (options.items.empty())
        throw InvalidArgument(
            "no linear is selected; --linears must match at least one name of `assay inspect`");
    if (changes.empty()) throw InvalidArgument("no treatment is given");
    if (windows.empty()) throw InvalidArgument("no windows to measure on");
    Sensitivity sensitivity(model, engine, windows, changes, options);
    return options.method == SensitivityMethod::kExact ? sensitivity.exact() : sensitivity.scored();
}

SensitivityResult measure_sensitivity(const Model& model, const Engine& engine,
                                      std::span<const EvaluationWindow> windows,
                                      const SensitivityOptions& options) {
    std::deque<TreatmentOverlay> overlays;  // changes point at them
    std::vector<NamedChange> changes;
    for (const Treatment& t : options.treatments) {
        overlays.emplace_back(t, [](const LinearItem&) { return true; });
        changes.push_back({to_string(t), &overlays.back()});
    }
    return measure_changes(model, engine, windows, changes, options);
}

std::vector<BlockSums> measure_swap_naively(const Model& model, const Engine& engine,
                                            std::span<const EvaluationWindow> windows,
                                            const Treatment& treatment, std::size_t item) {
    const std::string& name = model.items()[item].name;
    const TreatmentOverlay overlay(treatment, [&](const LinearItem& other) { return other.name == name; });
    const std::vector<Run> runs{{&model, nullptr}, {&model, &overlay}};
    return measure_runs(engine, windows, runs, {})[1].blocks;
}

}  // namespace assay
