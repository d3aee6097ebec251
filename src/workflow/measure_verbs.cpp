// The verbs that run models: perplexity, weights, sensitivity, diagnose.
#include <algorithm>
#include <set>
#include <string>

#include "analyze/ranking.h"
#include "analyze/sensitivity.h"
#include "base/error.h"
#include "measure/runs.h"
#include "measure/summary.h"
#include "treat/treatment_overlay.h"
#include "treat/weight_errors.h"
#include "workflow/session.h"
#include "workflow/workflow.h"

namespace assay {
namespace {

bool is_block_linear(const LinearItem& item) {
    return item.role == LinearItem::Role::kBlock;
}

// The items that are treated together: those of `items` that sit in blocks, as runtimes keep embedding and
// head in 16 bits.
TreatmentOverlay::Choice block_linears_of(const Model& model, const std::vector<std::size_t>& items) {
    std::set<std::string> names;
    for (std::size_t i : items) {
        if (is_block_linear(model.items()[i])) names.insert(model.items()[i].name);
    }
    return [names = std::move(names)](const LinearItem& item) { return names.contains(item.name); };
}

// The model treated, beside itself untreated.
std::vector<RunScores> treated_and_not(Session& session, std::span<const TokenWindow> windows,
                                       const TreatmentOverlay& overlay, std::int64_t context) {
    const std::vector<Run> runs{{&session.model(), nullptr}, {&session.model(), &overlay}};
    return measure_runs(session.engine(), windows, runs, {.context = context, .keep_token_kl = true});
}

PerplexityResult beside_reference(Session& session, std::span<const TokenWindow> windows,
                                  const PerplexityOptions& options) {
    const ModelFiles files = open_model_files(*options.against);
    const Model reference = load_model(files);
    for (const auto& path : files.files) session.add_input(path);
    const std::vector<Run> runs{{&reference, nullptr}, {&session.model(), nullptr}};
    const auto scores = measure_runs(session.engine(), windows, runs,
                                     {.context = options.text.context, .keep_token_kl = true});
    return comparison_result(scores[0].blocks, scores[1].blocks, scores[1].token_kl, longest_window(windows),
                             options.seed);
}

SensitivityResult sweep(Session& session, std::span<const TokenWindow> windows, const SweepOptions& options) {
    const SensitivityOptions sensitivity{.treatment = parse_treatment(options.treatment),
                                         .items = session.select_items(options.linears),
                                         .context = options.text.context,
                                         .seed = options.seed};
    return measure_sensitivity(session.model(), session.engine(), windows, sensitivity);
}

}  // namespace

Envelope measure_perplexity(const PerplexityOptions& options, Progress& progress, const CancelToken& cancel) {
    if (options.against && options.treatment)
        throw InvalidArgument("give --against or --treatment, not both");
    Session session(options.model, progress, cancel);
    const auto windows = session.windows(options.text);
    session.set("seed", options.seed);
    if (options.against) {
        session.set("against", options.against->string());
        return session.finish(beside_reference(session, windows, options));
    }
    if (options.treatment) {
        const Treatment treatment = parse_treatment(*options.treatment);
        session.set("treatment", to_string(treatment));
        const auto scores = treated_and_not(session, windows, TreatmentOverlay(treatment, is_block_linear),
                                            options.text.context);
        return session.finish(comparison_result(scores[0].blocks, scores[1].blocks, scores[1].token_kl,
                                                longest_window(windows), options.seed));
    }
    const std::vector<Run> runs{{&session.model(), nullptr}};
    const auto scores = measure_runs(session.engine(), windows, runs, {.context = options.text.context});
    return session.finish(perplexity_result(scores[0].blocks, longest_window(windows)));
}

Envelope measure_weights(const WeightsOptions& options, Progress& progress, const CancelToken& cancel) {
    Session session(options.model, progress, cancel);
    const Treatment treatment = parse_treatment(options.treatment);
    session.set("treatment", to_string(treatment));
    const auto items = session.select_items(options.linears);
    return session.finish(measure_weight_errors(session.model(), items, treatment, session.engine()));
}

Envelope measure_sensitivity(const SweepOptions& options, Progress& progress, const CancelToken& cancel) {
    Session session(options.model, progress, cancel);
    session.set("treatment", to_string(parse_treatment(options.treatment)));
    session.set("method", "exact");
    session.set("seed", options.seed);
    const auto windows = session.windows(options.text);
    return session.finish(sweep(session, windows, options));
}

Envelope diagnose(const SweepOptions& options, Progress& progress, const CancelToken& cancel) {
    Session session(options.model, progress, cancel);
    const Treatment treatment = parse_treatment(options.treatment);
    session.set("treatment", to_string(treatment));
    session.set("seed", options.seed);
    const auto windows = session.windows(options.text);
    const auto items = session.select_items(options.linears);
    DiagnoseResult result;
    const TreatmentOverlay together(treatment, block_linears_of(session.model(), items));
    const auto scores = treated_and_not(session, windows, together, options.text.context);
    result.perplexity = perplexity_result(scores[0].blocks, longest_window(windows));
    result.all_treated = comparison_result(scores[0].blocks, scores[1].blocks, scores[1].token_kl,
                                           longest_window(windows), options.seed);
    result.weights = measure_weight_errors(session.model(), items, treatment, session.engine());
    result.sensitivity = sweep(session, windows, options);
    result.shares = damage_shares(result.sensitivity.linears);
    result.rank_correlation_weight_error_damage =
        weight_error_correlation(result.weights.linears, result.sensitivity.linears);
    return session.finish(std::move(result));
}

}  // namespace assay
