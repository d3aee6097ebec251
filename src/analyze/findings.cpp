#include "analyze/findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include "analyze/cause_tests.h"
#include "analyze/experiments.h"
#include "analyze/nomination.h"
#include "analyze/paired_gain.h"
#include "analyze/swap_sweep.h"
#include "base/error.h"
#include "measure/summary.h"
#include "stats/bootstrap.h"
#include "treat/encoded_weights.h"

namespace assay {
namespace {

constexpr double kMostNoiseRatio = 2;     // "only bits help" needs the ratio known within this factor
constexpr double kShareOfBestGain = 0.5;  // a cheaper remedy must gain so much of the best one
constexpr double kCalibrationGain = 0.2;  // of the output error, from which on it should show elsewhere
// "Only bits help" needs, of each cause, that it surely leaves so much of the damage beside its twin.
constexpr double kClearlyLeft = 0.75;

using Blocks = std::vector<BlockSums>;

Blocks without_damage(Blocks blocks) {
    for (BlockSums& b : blocks) b.kl_sum = 0;
    return blocks;
}

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
        for (const auto& [item, verdict] : options_.verdicts)
            of_weights_[item] = weight_findings(model_.items()[item], options_.treatment, verdict);
        if (first_held_out_ > 0 && options_.most > 0) choose();
        if (!nominations_.linears.empty()) measure();
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

    // By the windows that decide.
    void choose() {
        NominationOptions options{.treatment = options_.treatment,
                                  .items = {},
                                  .worst = worst(),
                                  .verdicts = options_.verdicts,
                                  .noise_floor = options_.noise_floor,
                                  .seed = options_.seed};
        for (std::size_t i : options_.items) {
            if (model_.items()[i].role == LinearItem::Role::kBlock) options.items.push_back(i);
        }
        nominations_ =
            nominate(model_, engine_, windows_.first(static_cast<std::size_t>(first_held_out_)), options);
    }

    // GPTQ of the worst linears.
    void calibrate_worst() {
        std::vector<std::size_t> worst;
        for (const NominatedLinear& c : nominations_.linears) {
            if (c.is_worst) worst.push_back(c.item);
        }
        const bool possible = std::holds_alternative<IntFormat>(options_.treatment.format);
        if (worst.empty() || options_.calibration.empty() || !possible) return;
        const std::vector<Treatment> treatments{calibrated_treatment(options_.treatment.format)};
        calibrated_ = std::move(calibrate(model_, engine_, options_.calibration, worst, treatments).front());
    }

    // One sweep for all swaps.
    void measure() {
        calibrate_worst();
        SwapList swaps;
        for (const NominatedLinear& c : nominations_.linears) {
            const WeightVerdict& verdict = options_.verdicts.at(c.item);
            const bool calibrated = calibrated_ && calibrated_->treats(model_.items()[c.item]);
            plans_.push_back(
                plan_experiments(model_, options_.treatment,
                                 {.item = c.item,
                                  .grid = verdict.grid,
                                  .numerics = verdict.numerics,
                                  .energies = nominations_.activations.input(c.item).channel_energy,
                                  .causes = c.causes,
                                  .calibrated = calibrated ? &*calibrated_ : nullptr},
                                 options_.seed, swaps));
        }
        SweepResult sweep = sweep_swaps(model_, engine_, windows_, swaps.forks(), options_.seed);
        for (SwapMeasurement& swap : sweep.swaps) {
            swaps_.push_back(split(swap.blocks, first_held_out_));
            output_errors_.push_back(std::move(swap.output_errors));
        }
        tested_ = test_causes(measured_plans());
    }

    MeasuredPlans measured_plans() const { return {plans_, swaps_, options_.noise_floor}; }

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
        add_starved(p);
        const bool coarse =
            grid_decides(options_.verdicts.at(plans_[p].item).grid, options_.treatment.format);
        if (claims.empty() && !coarse && nominations_.linears[p].is_worst && clear(p)) add_only_bits(p);
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
        Finding out = describe(plan.item, t.cause);
        const std::string& intervention = plan.remedies[t.remedy].name;
        out.evidence.sentence = fmt::format("{} takes {:.0f} %{} {:.0f} % (q = {:.2g}).", intervention,
                                            100 * t.test.gain, t.sentence, 100 * t.test.twin_gain, t.q_value);
        out.evidence.numbers = {{"intervention", intervention},
                                {"kl", mean_kl(swaps_[plan.base].decided)},
                                {"gain_share", t.test.gain},
                                {"twin_gain_share", t.test.twin_gain},
                                {"draws", t.draws},
                                {"blocks", swaps_[plan.base].decided.size()},
                                {"p_value", t.test.p_value},
                                {"q_value", t.q_value},
                                {"held_out_gain_share", t.held_out.gain},
                                {"held_out_p_value", t.held_out.p_value}};
        if (!offer(plan, t.fitting, out) && !offer(plan, plan.more_bits, out))
            out.remedy = "none of those measured helps on other windows";
        return out;
    }

    // GPTQ's gain on the calibration windows that the measured ones do not show.
    void add_starved(std::size_t p) {
        const LinearPlan& plan = plans_[p];
        if (!plan.calibrated) return;
        const std::string& name = model_.items()[plan.item].name;
        for (const CalibratedLinear& report : calibrated_->reports()) {
            if (report.name != name || !report.error_ratio || 1 - *report.error_ratio < kCalibrationGain)
                continue;
            std::vector<double> before, after;
            for (const auto& e : output_errors_[plan.base]) before.push_back(e.error);
            for (const auto& e : output_errors_[*plan.remedies[*plan.calibrated].swap])
                after.push_back(e.error);
            const double calibration_gain = 1 - *report.error_ratio;
            const double gain = 1 - ratio_of_sums(after, before);
            const auto interval = bootstrap_ratio(after, before, options_.seed);
            if (!interval || 1 - interval->low >= calibration_gain / 2) continue;
            Finding out = describe(plan.item, "starved_calibration");
            out.evidence.sentence = fmt::format(
                "GPTQ takes {:.0f} % of the output error away on the calibration text, but {:.0f} % (95 %: "
                "{:.0f} to "
                "{:.0f}) on this text; {} positions for {} inputs.",
                100 * calibration_gain, 100 * gain, 100 * (1 - interval->high), 100 * (1 - interval->low),
                report.positions, model_.items()[plan.item].in);
            out.evidence.numbers = {{"calibration_gain_share", calibration_gain},
                                    {"gain_share", gain},
                                    {"gain_share_ci95", {1 - interval->high, 1 - interval->low}},
                                    {"positions", report.positions},
                                    {"inputs", model_.items()[plan.item].in}};
            out.remedy = "more calibration text, or text more like this";
            out_.push_back(std::move(out));
        }
    }

    static double ratio_of_sums(const std::vector<double>& a, const std::vector<double>& b) {
        return std::accumulate(a.begin(), a.end(), 0.0) / std::accumulate(b.begin(), b.end(), 0.0);
    }

    // 95 % interval of Σ a / Σ b over windows.
    static std::optional<Interval> bootstrap_ratio(const std::vector<double>& a, const std::vector<double>& b,
                                                   std::uint64_t seed) {
        return bootstrap(std::ssize(a),
                         [&](std::span<const double> draws) {
                             return std::inner_product(draws.begin(), draws.end(), a.begin(), 0.0) /
                                    std::inner_product(draws.begin(), draws.end(), b.begin(), 0.0);
                         },
                         {.seed = seed});
    }

    // Whether the scores of no cause, nor the swaps on either half of the windows, hint at it.
    bool clear(std::size_t p) const {
        const std::size_t item = plans_[p].item;
        return std::all_of(
                   nominations_.screened.begin(), nominations_.screened.end(),
                   [&](const ScreenedCause& s) { return s.item != item || s.least_left >= kClearlyLeft; }) &&
               std::all_of(tested_.begin(), tested_.end(), [&](const TestedCause& t) {
                   return t.linear != p || std::min(t.test.left(), t.held_out.left()) >= kClearlyLeft;
               });
    }

    void add_only_bits(std::size_t p) {
        const LinearPlan& plan = plans_[p];
        const std::vector<LogRatio> noise = noise_ratios(measured_plans(), plan);
        std::vector<double> draws;
        for (const LogRatio& r : noise) draws.push_back(r.value);
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
    std::map<std::size_t, std::vector<Finding>> of_weights_;
    Nominations nominations_;
    std::vector<LinearPlan> plans_;             // of the nominated ones
    std::optional<EncodedWeights> calibrated_;  // of the worst ones
    std::vector<Halves> swaps_;
    std::vector<std::vector<compute::SquaredError>> output_errors_;  // of each swap, by window
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
    const auto size = [&](std::size_t i) { return model.items()[i].out * model.items()[i].in; };
    std::stable_sort(largest.begin(), largest.end(),
                     [&](std::size_t a, std::size_t b) { return size(a) > size(b); });
    const std::size_t suspects = 2 * kSuspects * std::size(kCauses);
    const std::size_t count = std::min(largest.size(), static_cast<std::size_t>(most) + suspects);
    // Of those as large as these some from all over the model: an early linear's swap takes longer than a
    // late one's.
    while (largest.size() > count && size(largest.back()) < size(largest[count - 1])) largest.pop_back();
    std::vector<std::size_t> swaps;
    for (std::size_t n = 0; n < count; ++n)
        swaps.insert(swaps.end(), kUsualSwaps, largest[n * largest.size() / count]);
    return {score_workload(model, kScreenedChanges, windows.first(windows.size() / 2)),
            sweep_workload(model, std::move(swaps), windows)};
}

}  // namespace assay
