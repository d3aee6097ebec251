#include "analyze/findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "analyze/experiments.h"
#include "analyze/paired_gain.h"
#include "analyze/screening.h"
#include "analyze/swap_sweep.h"
#include "analyze/weight_findings.h"
#include "base/error.h"
#include "measure/activations.h"
#include "stats/false_discovery.h"

namespace assay {
namespace {

constexpr double kMostNoiseRatio = 2;     // "only bits help" needs the ratio known within this factor
constexpr double kShareOfBestGain = 0.5;  // a cheaper remedy must gain so much of the best one
constexpr std::size_t kSuspects = 2;      // linears that show a cause most, beside the worst

using Blocks = std::vector<BlockSums>;

// A swap's blocks in the windows that decide and in those held out.
struct Halves {
    Blocks decided, held_out;
};

Halves split(const Blocks& blocks, std::int64_t first_held_out) {
    Halves out;
    for (const BlockSums& b : blocks) (b.window < first_held_out ? out.decided : out.held_out).push_back(b);
    return out;
}

double mean_kl(const Blocks& blocks) {
    double kl = 0, tokens = 0;
    for (const BlockSums& b : blocks) {
        kl += b.kl_sum;
        tokens += static_cast<double>(b.tokens);
    }
    return kl / tokens;
}

Blocks without_damage(Blocks blocks) {
    for (BlockSums& b : blocks) b.kl_sum = 0;
    return blocks;
}

// One cause's test on one linear, before the false discoveries are controlled.
struct TestedCause {
    std::size_t linear = 0;  // index into the plans
    std::size_t cause = 0;   // index into the plan's causes
    CauseTest test;
    double q_value = 1;
    bool claimed = false;
};

// A linear that swaps explain.
struct Chosen {
    std::size_t item = 0;
    std::vector<Cause> causes;  // that it is suspected of
    bool is_worst = false;
};

class Findings {
  public:
    Findings(const Model& model, const Engine& engine, std::span<const EvaluationWindow> windows,
             const SensitivityResult& sensitivity, const FindingsOptions& options)
        : model_(model),
          engine_(engine),
          windows_(windows),
          sensitivity_(sensitivity),
          options_(options),
          treatment_(to_string(options.treatment)),
          first_held_out_(static_cast<std::int64_t>(windows.size() / 2)) {
        for (std::size_t i : options.items) index_[model.items().at(i).name] = i;
    }

    std::vector<Finding> run() {
        verdicts_ = look_at_weights(model_, engine_, options_.items, options_.treatment);
        for (const auto& [item, verdict] : verdicts_)
            of_weights_[item] = weight_findings(model_.items()[item], options_.treatment, verdict);
        if (first_held_out_ > 0 && options_.most > 0) choose();
        if (!chosen_.empty()) measure();
        for (std::size_t p = 0; p < plans_.size(); ++p) explain(p);
        add_quiet_linears();
        for (auto& [item, findings] : of_weights_)
            std::move(findings.begin(), findings.end(), std::back_inserter(out_));
        return std::move(out_);
    }

  private:
    // Those of the sensitivity's measured rows that are about this treatment, by rank, with their items.
    std::vector<std::pair<std::size_t, const SensitivityLinear*>> measured_rows() const {
        std::vector<std::pair<std::size_t, const SensitivityLinear*>> rows;
        for (const SensitivityLinear& row : sensitivity_.linears) {
            const auto found = index_.find(row.name);
            if (found != index_.end() && row.treatment == treatment_ && row.basis == "measured")
                rows.emplace_back(found->second, &row);
        }
        return rows;
    }

    bool above_noise(const SensitivityLinear& row) const {
        return (row.kl_ci95 ? row.kl_ci95->low : row.kl) > options_.noise_floor;
    }

    std::span<const EvaluationWindow> deciding() const {
        return windows_.first(static_cast<std::size_t>(first_held_out_));
    }

    std::span<const double> energies(std::size_t item) const {
        return activations_.input(item).channel_energy;
    }

    // The worst of the blocks' linears.
    std::vector<std::size_t> worst() const {
        std::vector<std::pair<double, std::size_t>> damages;
        for (const auto& [item, row] : measured_rows()) {
            if (above_noise(*row) && model_.items()[item].role == LinearItem::Role::kBlock)
                damages.emplace_back(mean_kl(split(row->blocks, first_held_out_).decided), item);
        }
        std::stable_sort(damages.begin(), damages.end(),
                         [](const auto& a, const auto& b) { return a.first > b.first; });
        damages.resize(std::min(options_.most, damages.size()));
        std::vector<std::size_t> out;
        for (const auto& [damage, item] : damages) out.push_back(item);
        return out;
    }

    // What the scores of all linears of blocks suspect, those first that show a cause most.
    std::vector<Suspicion> screen() {
        std::vector<std::size_t> items;
        for (std::size_t i : options_.items) {
            if (model_.items()[i].role == LinearItem::Role::kBlock) items.push_back(i);
        }
        if (items.empty()) return {};
        activations_ = measure_activations(model_, engine_, deciding(), items);
        std::vector<ScreenedLinear> linears;
        for (std::size_t i : items)
            linears.push_back(
                {i, energies(i), !grid_decides(verdicts_.at(i).grid, options_.treatment.format)});
        std::vector<Suspicion> out =
            screen_causes(model_, engine_, deciding(), options_.treatment.format, linears, options_.seed);
        std::stable_sort(out.begin(), out.end(),
                         [](const Suspicion& a, const Suspicion& b) { return a.left < b.left; });
        return out;
    }

    // The worst linears with all causes that they are suspected of, and for each cause those that show it
    // most.
    void choose() {
        for (std::size_t item : worst()) chosen_.push_back({item, {}, true});
        std::map<Cause, std::size_t> suspects;
        for (const Suspicion& s : screen()) {
            auto place = std::find_if(chosen_.begin(), chosen_.end(),
                                      [&](const Chosen& c) { return c.item == s.item; });
            const bool is_worst = place != chosen_.end() && place->is_worst;
            if (!is_worst && (!(s.kl > options_.noise_floor) || suspects[s.cause]++ >= kSuspects)) continue;
            if (place == chosen_.end()) place = chosen_.insert(place, {s.item, {}, false});
            place->causes.push_back(s.cause);
        }
    }

    // One sweep for all swaps.
    void measure() {
        SwapList swaps;
        for (const Chosen& c : chosen_) {
            const WeightVerdict& verdict = verdicts_.at(c.item);
            plans_.push_back(plan_experiments(model_, options_.treatment,
                                              {.item = c.item,
                                               .grid = verdict.grid,
                                               .numerics = verdict.numerics,
                                               .energies = energies(c.item),
                                               .causes = c.causes},
                                              options_.seed, swaps));
        }
        SweepResult sweep = sweep_swaps(model_, engine_, windows_, swaps.forks(), options_.seed);
        for (const SwapMeasurement& swap : sweep.swaps) swaps_.push_back(split(swap.blocks, first_held_out_));
        test_all();
    }

    LogRatio ratio(std::size_t before, std::size_t after) const {
        return log_damage_ratio(swaps_[before].decided, swaps_[after].decided, options_.noise_floor);
    }

    std::vector<LogRatio> ratios(const NoiseSwaps& before, const NoiseSwaps& after) const {
        std::vector<LogRatio> out;
        for (std::size_t r = 0; r < before.size(); ++r) out.push_back(ratio(before[r], after[r]));
        return out;
    }

    void test_all() {
        LuckSums luck;
        std::vector<std::vector<LogRatio>> own, twins;
        for (std::size_t p = 0; p < plans_.size(); ++p) {
            for (std::size_t c = 0; c < plans_[p].causes.size(); ++c) {
                const PlannedCause& cause = plans_[p].causes[c];
                own.push_back(ratios(cause.before, cause.after));
                twins.push_back(ratios(cause.twin_before, cause.twin_after));
                std::vector<double> draws;
                for (std::size_t r = 0; r < own.back().size(); ++r)
                    draws.push_back(twins.back()[r].value - own.back()[r].value);
                luck.add(draws);
                tested_.push_back({.linear = p, .cause = c, .test = {}});
            }
        }
        std::vector<double> p_values;
        for (std::size_t i = 0; i < tested_.size(); ++i) {
            tested_[i].test = test_cause(own[i], twins[i], luck, kLeastExcess);
            p_values.push_back(tested_[i].test.p_value);
        }
        if (tested_.empty()) return;
        const Discoveries found = benjamini_hochberg(p_values, kFalseDiscoveryRate);
        for (std::size_t i = 0; i < tested_.size(); ++i) {
            tested_[i].q_value = found.q_values[i];
            tested_[i].claimed = found.rejected[i];
        }
    }

    // All findings of one nominated linear.
    void explain(std::size_t p) {
        std::vector<const TestedCause*> claims;
        for (const TestedCause& t : tested_) {
            if (t.linear == p && t.claimed) claims.push_back(&t);
        }
        std::stable_sort(claims.begin(), claims.end(), [](const TestedCause* a, const TestedCause* b) {
            return a->test.left() < b->test.left();
        });
        add_remedies_of_weights(p);
        for (const TestedCause* t : claims) out_.push_back(claim(*t));
        const bool coarse = grid_decides(verdicts_.at(plans_[p].item).grid, options_.treatment.format);
        if (claims.empty() && !coarse && chosen_[p].is_worst) add_only_bits(p);
    }

    Finding describe(std::size_t item, std::string cause) const {
        return {.linear = model_.items()[item].name, .treatment = treatment_, .cause = std::move(cause)};
    }

    MeasuredRemedy measured(const LinearPlan& plan, const PlannedRemedy& remedy) const {
        const Blocks& before = swaps_[plan.base].held_out;
        const PairedGain gain = paired_gain(
            before, remedy.swap ? swaps_[*remedy.swap].held_out : without_damage(before), options_.seed);
        MeasuredRemedy out{.name = remedy.name,
                           .gain = gain.nats,
                           .gain_ci95 = gain.nats_ci95,
                           .gain_share = gain.share,
                           .gain_share_ci95 = gain.share_ci95,
                           .bytes = remedy.bytes};
        if (out.bytes > 0) out.gain_per_byte = out.gain / static_cast<double>(out.bytes);
        return out;
    }

    static bool helps(const MeasuredRemedy& remedy) { return remedy.gain_ci95 && remedy.gain_ci95->low > 0; }

    // Fills in the cheapest of the remedies that helps; says whether there is one.
    bool offer(const LinearPlan& plan, const std::vector<std::size_t>& fitting, Finding& finding) const {
        finding.remedies.clear();
        for (const PlannedRemedy& r : plan.remedies) finding.remedies.push_back(measured(plan, r));
        double best = 0;
        for (std::size_t i : fitting) best = std::max(best, finding.remedies[i].gain);
        std::optional<MeasuredRemedy> chosen;
        for (std::size_t i : fitting) {
            const MeasuredRemedy& r = finding.remedies[i];
            if (helps(r) && r.gain >= kShareOfBestGain * best && (!chosen || r.bytes < chosen->bytes))
                chosen = r;
        }
        std::stable_sort(finding.remedies.begin(), finding.remedies.end(),
                         [](const auto& a, const auto& b) { return a.bytes < b.bytes; });
        if (!chosen) return false;
        finding.remedy = chosen->name;
        finding.gain = chosen->gain;
        finding.gain_ci95 = chosen->gain_ci95;
        finding.gain_share = chosen->gain_share;
        finding.gain_share_ci95 = chosen->gain_share_ci95;
        finding.bytes = chosen->bytes;
        return true;
    }

    Finding claim(const TestedCause& t) const {
        const LinearPlan& plan = plans_[t.linear];
        const PlannedCause& cause = plan.causes[t.cause];
        Finding out = describe(plan.item, std::string(name_of(cause.cause)));
        const std::string& intervention = plan.remedies[cause.remedy].name;
        const bool channels = cause.cause == Cause::kSalientChannels;
        out.evidence.sentence = fmt::format(
            "{} takes {:.0f} % of the damage of errors of these sizes{}; {} {:.0f} % (q = {:.2g}).",
            intervention, 100 * t.test.gain, channels ? "" : " beside that of loud channels",
            channels ? "as many random channels" : "of Gaussian weights'", 100 * t.test.twin_gain, t.q_value);
        out.evidence.numbers = {{"intervention", intervention}, {"kl", mean_kl(swaps_[plan.base].decided)},
                                {"gain_share", t.test.gain},    {"twin_gain_share", t.test.twin_gain},
                                {"draws", cause.before.size()}, {"blocks", swaps_[plan.base].decided.size()},
                                {"p_value", t.test.p_value},    {"q_value", t.q_value}};
        if (!offer(plan, cause.remedies, out) && !offer(plan, plan.more_bits, out))
            out.remedy = "none of those measured helps on other windows";
        return out;
    }

    void add_only_bits(std::size_t p) {
        const LinearPlan& plan = plans_[p];
        std::vector<LogRatio> noise;
        std::vector<double> draws;
        for (std::size_t swap : plan.noise) {
            noise.push_back(ratio(swap, plan.base));
            draws.push_back(noise.back().value);
        }
        LuckSums luck;
        luck.add(draws);
        const auto interval = mean_ratio_ci95(noise, luck);
        if (!interval || interval->low > 1 || interval->high < 1 || interval->high > kMostNoiseRatio ||
            interval->low < 1 / kMostNoiseRatio)
            return;
        double mean = 0;
        for (const LogRatio& r : noise) mean += r.value / static_cast<double>(noise.size());
        Finding out = describe(plan.item, "only_bits_help");
        out.evidence.sentence = fmt::format(
            "The damage is {:.2f} times (95 %: {:.2f} to {:.2f}) that of random noise of the same size: "
            "nothing but its size matters.",
            std::exp(mean), interval->low, interval->high);
        out.evidence.numbers = {{"kl", mean_kl(swaps_[plan.base].decided)},
                                {"noise_ratio", std::exp(mean)},
                                {"noise_ratio_ci95", {interval->low, interval->high}},
                                {"draws", noise.size()}};
        if (!offer(plan, plan.more_bits, out)) out.remedy = "more bits";
        out_.push_back(std::move(out));
    }

    // What the swaps say of remedies for what the weights showed; these findings come with the linear.
    void add_remedies_of_weights(std::size_t p) {
        const LinearPlan& plan = plans_[p];
        for (Finding& f : of_weights_.at(plan.item)) {
            const auto remedy = f.cause == "numerics" ? plan.wider_scale : plan.own_grid;
            if (remedy) {
                const std::string otherwise = f.remedy;
                if (offer(plan, {*remedy}, f)) f.remedy += "; or " + otherwise;
            }
            out_.push_back(std::move(f));
        }
        of_weights_.erase(plan.item);
    }

    void add_quiet_linears() {
        for (const auto& [item, row] : measured_rows()) {
            if (above_noise(*row)) continue;
            Finding f = describe(item, "no_measurable_damage");
            f.evidence.sentence = "The damage does not rise above the noise floor.";
            f.evidence.numbers = {{"kl", row->kl}, {"noise_floor", options_.noise_floor}};
            f.remedy = "none is needed";
            out_.push_back(std::move(f));
        }
    }

    const Model& model_;
    const Engine& engine_;
    std::span<const EvaluationWindow> windows_;
    const SensitivityResult& sensitivity_;
    const FindingsOptions& options_;
    std::string treatment_;
    std::int64_t first_held_out_;
    std::map<std::string, std::size_t> index_;  // of the items looked at, by name
    std::map<std::size_t, WeightVerdict> verdicts_;
    std::map<std::size_t, std::vector<Finding>> of_weights_;
    Activations activations_;  // of the blocks' linears
    std::vector<Chosen> chosen_;
    std::vector<LinearPlan> plans_;  // of the chosen ones
    std::vector<Halves> swaps_;
    std::vector<TestedCause> tested_;
    std::vector<Finding> out_;
};

}  // namespace

std::vector<Finding> find_causes(const Model& model, const Engine& engine,
                                 std::span<const EvaluationWindow> windows,
                                 const SensitivityResult& sensitivity, const FindingsOptions& options) {
    return Findings(model, engine, windows, sensitivity, options).run();
}

std::vector<Workload> findings_workload(const Model& model, std::span<const std::size_t> items,
                                        std::int64_t most, std::span<const EvaluationWindow> windows) {
    std::vector<std::size_t> largest;
    for (std::size_t i : items) {
        if (model.items().at(i).role == LinearItem::Role::kBlock) largest.push_back(i);
    }
    if (largest.empty() || most == 0 || windows.size() < 2) return {};
    std::stable_sort(largest.begin(), largest.end(), [&](std::size_t a, std::size_t b) {
        const LinearItem &x = model.items()[a], &y = model.items()[b];
        return x.out * x.in > y.out * y.in;
    });
    const std::size_t suspects = kSuspects * std::size(kCauses);
    largest.resize(std::min(largest.size(), static_cast<std::size_t>(most) + suspects));
    std::vector<std::size_t> swaps;
    for (std::size_t i : largest) swaps.insert(swaps.end(), kUsualSwaps, i);
    return {score_workload(model, kScreenedChanges, windows.first(windows.size() / 2)),
            sweep_workload(model, std::move(swaps), windows)};
}

}  // namespace assay
