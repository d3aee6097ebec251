#include "analyze/sensitivity.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "analyze/paired_gain.h"
#include "analyze/ranking.h"
#include "analyze/score_estimates.h"
#include "analyze/swap_sweep.h"
#include "base/error.h"
#include "measure/runs.h"
#include "measure/summary.h"
#include "stats/bootstrap.h"
#include "treat/encoded_weights.h"
#include "treat/treatment_overlay.h"

namespace assay {
namespace {

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
    if (!swap.route_changes.empty()) out.route_changes = std::move(swap.route_changes);
    out.windows = window_sums(swap.blocks, true);
    out.blocks = std::move(swap.blocks);
}

bool has_experts(const Model& model) {
    for (std::int64_t b = 0; b < model.config().layers; ++b) {
        if (model.block(b).routing()) return true;
    }
    return false;
}

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
        scores_ = estimate_scores(model_, engine_, first_windows(), changes_, options_);
        baseline_ = scores_.baseline;
        std::vector<Swap> swaps = scores_.unscored;
        if (options_.method == SensitivityMethod::kHybrid) {
            choose(swaps);
            if (has_experts(model_)) probe(swaps);
        }
        if (!swaps.empty()) measure(swaps);
        if (options_.method == SensitivityMethod::kHybrid && has_experts(model_)) fall_back();
        calibrate();
        return result();
    }

  private:
    std::span<const EvaluationWindow> first_windows() const {
        const std::size_t step = options_.first_windows;
        return step == 0 ? windows_ : windows_.first(std::min(step, windows_.size()));
    }

    // A treatment's estimates, the most damaging first.
    std::vector<const ScoreEstimate*> ranked(std::size_t treatment) const {
        std::vector<const ScoreEstimate*> out;
        for (const ScoreEstimate& e : scores_.damages) {
            if (e.swap.treatment == treatment) out.push_back(&e);
        }
        std::stable_sort(out.begin(), out.end(), [](const ScoreEstimate* a, const ScoreEstimate* b) {
            return a->damage.kl > b->damage.kl;
        });
        return out;
    }

    // Adds what hybrid measures.
    void choose(std::vector<Swap>& swaps) const {
        for (std::size_t f = 0; f < changes_.size(); ++f) {
            const auto estimates = ranked(f);
            double sum = 0;
            for (const ScoreEstimate* e : estimates) sum += e->damage.kl;
            const double mean = estimates.empty() ? 0 : sum / static_cast<double>(estimates.size());
            std::size_t borderline = 0;
            for (std::size_t i = 0; i < estimates.size(); ++i) {
                const bool near = i >= options_.top && borderline < options_.borderline &&
                                  holds_category_border(estimates[i]->damage.kl_ci95, mean);
                if (i < options_.top || near) swaps.push_back(estimates[i]->swap);
                borderline += near ? 1 : 0;
            }
        }
    }

    using Kind = std::pair<std::size_t, std::string>;  // treatment and projection

    // Those of each kind that rise above the noise floor, the most damaging first.
    std::map<Kind, std::vector<const ScoreEstimate*>> kinds() const {
        std::map<Kind, std::vector<const ScoreEstimate*>> out;
        for (std::size_t f = 0; f < changes_.size(); ++f) {
            for (const ScoreEstimate* e : ranked(f)) {
                if (e->damage.kl > options_.noise_floor)
                    out[{f, model_.items()[e->swap.item].projection}].push_back(e);
            }
        }
        return out;
    }

    // Adds swaps of each kind, from the most to the least damaging, that are not there yet.
    void probe(std::vector<Swap>& swaps) const {
        std::set<Swap> all(swaps.begin(), swaps.end());
        for (const auto& [kind, estimates] : kinds()) {
            const std::size_t count = std::min(kProbes, estimates.size());
            for (std::size_t i = 0; i < count; ++i) {
                const std::size_t place = count > 1 ? i * (estimates.size() - 1) / (count - 1) : 0;
                if (all.insert(estimates[place]->swap).second) swaps.push_back(estimates[place]->swap);
            }
        }
    }

    // Measures the kinds whose probes say that scores are off.
    void fall_back() {
        std::vector<Swap> swaps;
        for (const auto& [kind, estimates] : kinds()) {
            const double ratio = mean_ratio(estimates).first;
            if (ratio >= kLeastScoreRatio && ratio <= kMostScoreRatio) continue;
            for (const ScoreEstimate* e : estimates) {
                if (!measured_.contains(e->swap)) swaps.push_back(e->swap);
            }
        }
        if (!swaps.empty()) measure(swaps);
    }

    // Geometric mean of measured / scored damage of those that were measured above the noise floor (1 without
    // any), and their number.
    std::pair<double, std::size_t> mean_ratio(std::span<const ScoreEstimate* const> estimates) const {
        double logs = 0;
        std::size_t count = 0;
        for (const ScoreEstimate* e : estimates) {
            const auto found = measured_.find(e->swap);
            if (found == measured_.end() || e->damage.kl <= 0 || !(found->second.kl > options_.noise_floor))
                continue;
            logs += std::log(found->second.kl / e->damage.kl);
            ++count;
        }
        return {count > 0 ? std::exp(logs / static_cast<double>(count)) : 1.0, count};
    }

    // Whether two neighbours in a treatment's measured ranking are undecided.
    bool needs_more(const std::vector<Swap>& swaps, const SweepResult& sweep) const {
        for (std::size_t f = 0; f < changes_.size(); ++f) {
            std::vector<std::pair<double, std::size_t>> order;
            for (std::size_t i = 0; i < swaps.size(); ++i) {
                const auto& blocks = sweep.swaps[i].blocks;
                if (swaps[i].treatment == f) order.emplace_back(-mean_kl(blocks), i);
            }
            std::sort(order.begin(), order.end());
            for (std::size_t i = 1; i < order.size(); ++i) {
                if (swaps_undecided(sweep.swaps[order[i - 1].second].blocks,
                                    sweep.swaps[order[i].second].blocks, options_.seed))
                    return true;
            }
        }
        return false;
    }

    void measure(const std::vector<Swap>& swaps) {
        std::vector<Fork> forks;
        for (const Swap& swap : swaps) forks.push_back({swap.item, changes_[swap.treatment].overlay});
        SweepResult sweep =
            sweep_swaps(model_, engine_, windows_, forks, options_.seed, options_.first_windows,
                        [&](const SweepResult& so_far) { return needs_more(swaps, so_far); });
        for (std::size_t i = 0; i < swaps.size(); ++i) {
            SensitivityLinear row = describe(model_, swaps[i].item, changes_[swaps[i].treatment].name);
            fill(sweep, std::move(sweep.swaps[i]), options_.seed, row);
            measured_[swaps[i]] = std::move(row);
        }
        if (sweep.baseline.size() > baseline_.size()) baseline_ = std::move(sweep.baseline);
        control_ = sweep.control;
    }

    // Multiplies each treatment's estimates by the geometric mean of measured / scored damage.
    void calibrate() {
        for (std::size_t f = 0; f < changes_.size(); ++f) {
            const auto [ratio, count] = mean_ratio(ranked(f));
            if (count < kCalibrationSwaps) continue;
            for (ScoreEstimate& e : scores_.damages) {
                if (e.swap.treatment != f) continue;
                e.damage.kl *= ratio;
                e.damage.kl_ci95 = scaled(e.damage.kl_ci95, ratio);
                e.damage.calibration = ratio;
            }
        }
    }

    SensitivityResult result() {
        std::map<Swap, SensitivityLinear> rows = std::move(measured_);
        for (const ScoreEstimate& e : scores_.damages) {
            const auto [place, is_new] = rows.try_emplace(e.swap);
            SensitivityLinear& row = place->second;
            if (is_new) {
                row = describe(model_, e.swap.item, changes_[e.swap.treatment].name);
                row.basis = "scored";
                row.kl = e.damage.kl;
                row.kl_ci95 = e.damage.kl_ci95;
            }
            row.scored = e.damage;
            if (const auto parts = scores_.parts.find(e.swap); parts != scores_.parts.end())
                row.parts = parts->second;
        }
        SensitivityResult out;
        out.baseline = perplexity_result(baseline_, longest_window(windows_));
        out.control = control_;
        if (!scores_.together.empty()) out.together = predictions(rows);
        for (std::size_t f = 0; f < changes_.size(); ++f) {
            out.treatment += (f > 0 ? ", " : "") + changes_[f].name;
            std::vector<SensitivityLinear> linears;
            for (auto& [swap, row] : rows) {
                if (swap.treatment == f) linears.push_back(std::move(row));
            }
            rank_linears(linears, options_.noise_floor);
            std::move(linears.begin(), linears.end(), std::back_inserter(out.linears));
        }
        return out;
    }

    // Sums of the rows' damages, with the estimates' intervals moved along.
    std::vector<PlanPrediction> predictions(const std::map<Swap, SensitivityLinear>& rows) const {
        std::vector<PlanPrediction> out = scores_.together;
        for (PlanPrediction& p : out) {
            double sum = 0;
            for (const auto& [swap, row] : rows) {
                const bool in_block = model_.items()[swap.item].role == LinearItem::Role::kBlock;
                if (in_block && row.treatment == p.treatment) sum += row.kl;
            }
            if (p.kl_sum > 0) p.kl_sum_ci95 = scaled(p.kl_sum_ci95, sum / p.kl_sum);
            p.kl_sum = sum;
        }
        return out;
    }

    const Model& model_;
    const Engine& engine_;
    std::span<const EvaluationWindow> windows_;
    std::span<const NamedChange> changes_;
    const SensitivityOptions& options_;
    ScoreEstimates scores_;
    std::map<Swap, SensitivityLinear> measured_;
    std::vector<BlockSums> baseline_;
    std::optional<Control> control_;
};

}  // namespace

bool swaps_undecided(std::span<const BlockSums> a, std::span<const BlockSums> b, std::uint64_t seed) {
    if (a.size() != b.size()) throw InvalidArgument("swaps are compared on the same blocks of positions");
    std::vector<double> differences, tokens;
    for (std::size_t i = 0; i < a.size(); ++i) {
        differences.push_back(a[i].kl_sum - b[i].kl_sum);
        tokens.push_back(static_cast<double>(a[i].tokens));
    }
    const auto interval = bootstrap_mean(differences, tokens, {.seed = seed});
    if (!interval) return true;
    return interval->low <= 0 && interval->high >= 0 &&
           (interval->high - interval->low) / 2 > kCloseDamage * std::max(mean_kl(a), mean_kl(b));
}

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
    const auto overlays =
        make_overlays(model, engine, options.calibration, options.items, options.treatments, options.seed);
    std::vector<NamedChange> changes;
    for (std::size_t f = 0; f < overlays.size(); ++f)
        changes.push_back({to_string(options.treatments[f]), overlays[f].get()});
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
