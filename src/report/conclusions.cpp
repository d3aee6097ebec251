// Sentences from a diagnosis's numbers.
#include "report/conclusions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/format.h"

namespace assay {
namespace {

// From this share of the worst 5 % on, protecting a few linears is the better first step.
constexpr double kConcentrated = 0.5;
// Below this |Spearman| weight errors say little; from kTellingCorrelation on they rank nearly as the damage
// does.
constexpr double kWeakCorrelation = 0.3;
constexpr double kTellingCorrelation = 0.7;
constexpr std::size_t kNamedLinears = 3, kToldSwaps = 20;

std::string where_it_sits(const DiagnoseResult& result) {
    const std::size_t all = result.sensitivity.linears.size();
    const DamageShares& shares = result.shares;
    return fmt::format(
        "The worst {} of {} linears (5 %) cause {} of the damage, the worst {} (10 %) cause {}.",
        shares.worst_5_percent.linears.size(), all, format_percent(shares.worst_5_percent.share_of_damage),
        shares.worst_10_percent.linears.size(), format_percent(shares.worst_10_percent.share_of_damage));
}

std::string what_weight_errors_tell(double correlation) {
    const double size = std::abs(correlation);
    const char* meaning = size < kWeakCorrelation ? "weight error hardly tells which linears matter"
                          : size < kTellingCorrelation
                              ? "weight error tells only in part which linears matter"
                          : correlation > 0 ? "weight error ranks the linears nearly as their damage does"
                                            : "weight error ranks the linears against their damage";
    return fmt::format("Rank correlation of weight error and damage (Spearman): {:.2f}: {}.", correlation,
                       meaning);
}

std::string prediction_text(const PlanPrediction& p) {
    return fmt::format("{} nats {} as the sum of the single damages, {} {} with interactions",
                       format_significant(p.kl_sum), format_interval(p.kl_sum_ci95),
                       format_significant(p.kl_interactions), format_interval(p.kl_interactions_ci95));
}

std::string how_they_add_up(const DiagnoseResult& result) {
    const std::string measured = format_significant(result.all_treated.comparison->kl_mean);
    const auto& together = result.sensitivity.together;
    if (together && !together->empty())
        return fmt::format("Treated together, the blocks' linears cause {} nats; predicted: {}.", measured,
                           prediction_text(together->front()));
    double sum = 0;
    for (const SensitivityLinear& linear : result.sensitivity.linears) sum += linear.block ? linear.kl : 0;
    return fmt::format(
        "Treated one at a time, the blocks' linears' damages add up to {} nats; treated together they cause "
        "{}.",
        format_significant(sum), measured);
}

// How many tokens change their experts, where there are any: the swap that moves most.
std::string routes_text(const SensitivityResult& result) {
    const SensitivityLinear* most = nullptr;
    double share = -1;
    std::size_t layer = 0;
    for (const SensitivityLinear& linear : result.linears) {
        if (!linear.route_changes) continue;
        for (std::size_t i = 0; i < linear.route_changes->size(); ++i) {
            if ((*linear.route_changes)[i] <= share) continue;
            most = &linear;
            share = (*linear.route_changes)[i];
            layer = static_cast<std::size_t>(linear.block.value_or(0)) + i;
        }
    }
    if (most == nullptr) return "";
    return fmt::format(
        "Tokens change their experts: most under {} of {}, {} of them in layer {} (every measured linear's, "
        "layer by "
        "layer: route_changes in the JSON).",
        most->treatment, most->name, format_percent(share), layer);
}

std::string next_step(const DiagnoseResult& result) {
    const DamageShare& worst = result.shares.worst_5_percent;
    if (worst.share_of_damage < kConcentrated)
        return "Next: the damage is spread over many linears, so exceptions for a few will not mend it; try "
               "smaller "
               "groups, more bits or a better method for all of them, and measure again.";
    std::string names;
    for (std::size_t i = 0; i < std::min(kNamedLinears, worst.linears.size()); ++i)
        names += (i ? ", " : "") + worst.linears[i];
    if (worst.linears.size() > kNamedLinears)
        names += fmt::format(" and {} more", worst.linears.size() - kNamedLinears);
    return "Next: the damage is concentrated, so keep the worst linears (" + names +
           ") in 16 or 8 bits first, and measure the whole model again.";
}

// "a, b and 3 more"
std::string listed(const std::vector<TensorDifference>& tensors) {
    std::string text;
    for (std::size_t i = 0; i < std::min(kNamedLinears, tensors.size()); ++i) {
        text += (i ? ", " : "") + tensors[i].name;
        if (tensors[i].relative_error) text += " (" + format_percent(*tensors[i].relative_error) + ")";
    }
    if (tensors.size() > kNamedLinears) text += fmt::format(" and {} more", tensors.size() - kNamedLinears);
    return text;
}

std::string what_the_rest_does(const BlameResult& result) {
    std::string what = listed(result.other_differences);
    for (const std::string& difference : result.config_differences)
        what += (what.empty() ? "" : "; ") + difference;
    const bool known = result.others && result.others->comparison;
    return "Besides the linears these differ: " + what +
           (known ? fmt::format(". Alone this causes {} nats.",
                                format_significant(result.others->comparison->kl_mean))
                  : ".");
}

std::string task_text(const SensitivityResult& result) {
    return fmt::format("Swaps are measured by {} ({}, {} questions): the reference answers {} right {}.",
                       result.task->task, result.task->metric, result.task->questions,
                       format_percent(result.task->accuracy),
                       format_percent_interval(result.task->accuracy_ci95));
}

std::string swap_text(const SensitivityLinear& linear) {
    const EvalComparison& c = *linear.task;
    return fmt::format(
        "{} in {}: {:+.2f} points {}; {} answers turn wrong, {} right (McNemar p = {:.2g}); probability of "
        "the right "
        "choice {}.",
        linear.name, linear.treatment, 100 * c.accuracy_difference,
        format_percent_interval(c.accuracy_difference_ci95), c.flips_to_wrong, c.flips_to_right, c.mcnemar_p,
        format_plus_minus(c.right_probability_difference, c.right_probability_difference_ci95));
}

}  // namespace

std::vector<std::string> warnings_of(const SensitivityResult& result) {
    if (!result.control || (result.control->identical && result.control->kl == 0)) return {};
    return {fmt::format(
        "The control swap, which changes nothing, gave a damage of {} nats instead of exactly 0: do not "
        "trust these numbers, and report this as a fault of assay.",
        format_significant(result.control->kl))};
}

std::vector<std::string> conclusions_of(const SensitivityResult& result) {
    std::vector<std::string> sentences;
    if (result.task) sentences.push_back(task_text(result));
    std::size_t told = 0;
    for (const SensitivityLinear& linear : result.linears) {
        if (linear.task && told++ < kToldSwaps) sentences.push_back(swap_text(linear));
    }
    for (const PlanPrediction& p : result.together.value_or(std::vector<PlanPrediction>{}))
        sentences.push_back(fmt::format("All {} linears of the blocks under {} together, predicted: {}.",
                                        p.linears, p.treatment, prediction_text(p)));
    if (std::string routes = routes_text(result); !routes.empty()) sentences.push_back(std::move(routes));
    return sentences;
}

std::vector<std::string> conclusions_of(const DiagnoseResult& result) {
    if (result.sensitivity.linears.empty()) return {};
    std::vector<std::string> sentences = {where_it_sits(result)};
    if (result.all_treated.comparison) sentences.push_back(how_they_add_up(result));
    if (std::string routes = routes_text(result.sensitivity); !routes.empty())
        sentences.push_back(std::move(routes));
    if (result.rank_correlation_weight_error_damage)
        sentences.push_back(what_weight_errors_tell(*result.rank_correlation_weight_error_damage));
    sentences.push_back(next_step(result));
    return sentences;
}

std::vector<std::string> conclusions_of(const BlameResult& result) {
    const bool rest = !result.other_differences.empty() || !result.config_differences.empty();
    if (result.differences.empty() && !rest)
        return {"No difference: every tensor of the checkpoint is the reference's."};
    std::vector<std::string> sentences;
    if (result.total.comparison && !result.sensitivity.linears.empty())
        sentences.push_back(
            fmt::format("The whole checkpoint causes {} nats; its {} linears that differ and were looked at "
                        "add up to {}, "
                        "each put into the reference alone.",
                        format_significant(result.total.comparison->kl_mean),
                        result.sensitivity.linears.size(), format_significant(result.linears_kl)));
    if (rest) sentences.push_back(what_the_rest_does(result));
    return sentences;
}

}  // namespace assay
