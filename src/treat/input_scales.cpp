#include "treat/input_scales.h"

#include <algorithm>
#include <cmath>
#include <variant>

namespace assay {
namespace {

std::vector<double> energy_of(std::span<const Hessian* const> hessians) {
    std::vector<double> energy(static_cast<std::size_t>(hessians.front()->sums.size()));
    for (const Hessian* h : hessians) {
        for (std::size_t c = 0; c < energy.size(); ++c)
            energy[c] += h->sums(static_cast<std::int64_t>(c), static_cast<std::int64_t>(c));
    }
    return energy;
}

// The errors of all linears of one input, added to `errors`. Returns what makes its statistics useless.
std::string add_errors(const Model& model, const Engine& engine, const Treatment& treatment,
                       const Hessian& hessian, std::span<const AwqScales> candidates,
                       std::span<double> errors) {
    const InputFactor factor = factor_input(hessian.sums, factor_options(treatment), engine.pool);
    if (!factor.failure.empty()) return factor.failure;
    for (std::size_t i : hessian.input.items) {
        const Matrix<float> w = read_weight(model.weights(), model.items()[i].name);
        const auto own = awq_errors(w.view(), factor, candidates, awq_rounding(treatment), engine.pool);
        for (std::size_t k = 0; k < own.size(); ++k) errors[k] += own[k];
        engine.cancel.check();
    }
    return "";
}

InputScales search(const Model& model, const Engine& engine, const Treatment& treatment,
                   std::span<const Hessian* const> hessians, std::span<const std::int64_t> rows) {
    const std::vector<double> energy = energy_of(hessians);
    if (!std::all_of(energy.begin(), energy.end(), [](double e) { return e >= 0 && std::isfinite(e); }))
        return {{}, {}, "the statistics of its input hold NaN or Inf, or are no sums of squares"};
    const std::vector<AwqScales> candidates = awq_candidates(energy, rows);
    std::vector<double> errors(candidates.size());
    bool reached = false;
    for (const Hessian* h : hessians) {
        if (h->positions == 0) continue;
        const std::string failure = add_errors(model, engine, treatment, *h, candidates, errors);
        if (!failure.empty()) return {{}, {}, failure};
        reached = true;
    }
    if (!reached) return {{}, {}, "no position of the calibration windows reaches it"};
    const auto best = std::min_element(errors.begin(), errors.end()) - errors.begin();
    const AwqScales& chosen = candidates[static_cast<std::size_t>(best)];
    if (chosen.alpha == 0) return {{}, 0, ""};
    return {chosen.scales, chosen.alpha, ""};
}

}  // namespace

bool scales_inputs(const Treatment& treatment) {
    return treatment.method == "awq" || is_set(treatment, "awq");
}

FactorOptions factor_options(const Treatment& treatment) {
    FactorOptions options{.by_energy = is_set(treatment, "act-order")};
    if (treatment.method != "clip") options.damp = option(treatment, "damp");
    return options;
}

AwqRounding awq_rounding(const Treatment& treatment) {
    const bool gptq = treatment.method == "gptq";
    return {.format = std::get<IntFormat>(treatment.format),
            .clip = treatment.method == "clip" || is_set(treatment, "clip"),
            .gptq = gptq,
            .static_groups = is_set(treatment, "static-groups")};
}

std::vector<std::vector<std::size_t>> searched_together(const Model& model, const Treatment& treatment,
                                                        std::span<const SharedInput> inputs) {
    std::vector<std::vector<std::size_t>> groups;
    std::vector<int> slots;  // of the groups' folds
    const bool tied = !inputs.empty() && scales_inputs(treatment) && is_set(treatment, "fold");
    const auto folds = tied ? find_folds(model, inputs.front().block) : std::vector<Fold>();
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        const int slot = tied ? fold_of(folds, inputs[i].items.front()).slot : inputs[i].slot;
        const auto found = std::find(slots.begin(), slots.end(), slot);
        if (found == slots.end()) {
            slots.push_back(slot);
            groups.push_back({i});
        } else {
            groups[static_cast<std::size_t>(found - slots.begin())].push_back(i);
        }
    }
    return groups;
}

InputScales find_scales(const Model& model, const Engine& engine, const Treatment& treatment,
                        std::span<const Hessian* const> hessians) {
    const bool must_fold = is_set(treatment, "fold");
    const SharedInput& first = hessians.front()->input;
    const auto folds = find_folds(model, first.block);
    const Fold& fold = fold_of(folds, first.items.front());
    if (must_fold && !fold.obstacle.empty()) return {{}, {}, fold.obstacle};
    return search(model, engine, treatment, hessians,
                  must_fold ? std::span(fold.rows) : std::span<const std::int64_t>());
}

}  // namespace assay
