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

// The runs on the same windows, with the numbers of single tokens. Where runs are compared, rounding is
// measured.
std::vector<RunScores> measure(Session& session, const Evaluation& text, const std::vector<Run>& runs) {
    if (runs.size() > 1) session.measure_noise(text.windows);
    return measure_runs(session.engine(), text.windows, runs, {.keep_tokens = true});
}

// What whole runs beside each other will take.
Workload runs_of(const Model& model, std::int64_t runs, const Evaluation& text) {
    return {&model, runs, {}, text.windows};
}

// Says how the text was cut.
PerplexityResult labelled(PerplexityResult result, const Evaluation& text) {
    result.protocol = text.protocol;
    result.stride = text.stride;
    return result;
}

// The second of two runs beside the first.
PerplexityResult compared(const std::vector<RunScores>& scores, const Evaluation& text, std::uint64_t seed) {
    return labelled(comparison_result(scores[0], scores[1], longest_window(text.windows), seed), text);
}

const Model& larger(const Model& a, const Model& b) {
    return a.config().hidden * a.config().intermediate > b.config().hidden * b.config().intermediate ? a : b;
}

PerplexityResult beside_reference(Session& session, const Evaluation& text,
                                  const PerplexityOptions& options) {
    session.set("against", options.against->string());
    const ModelFiles files = open_model_files(*options.against);
    const Model reference = load_model(files);
    for (const auto& path : files.files) session.add_input(path);
    session.prepare({runs_of(larger(reference, session.model()), 2, text)});
    return compared(measure(session, text, {{&reference, nullptr}, {&session.model(), nullptr}}), text,
                    options.seed);
}

// The model treated, beside itself untreated.
std::vector<RunScores> treated_and_not(Session& session, const Evaluation& text,
                                       const TreatmentOverlay& overlay) {
    return measure(session, text, {{&session.model(), nullptr}, {&session.model(), &overlay}});
}

SensitivityResult sweep(Session& session, const Evaluation& text, const SweepOptions& options) {
    const SensitivityOptions sensitivity{.treatment = parse_treatment(options.treatment),
                                         .items = session.select_items(options.linears),
                                         .noise_floor = session.measure_noise(text.windows),
                                         .seed = options.seed};
    SensitivityResult result =
        measure_sensitivity(session.model(), session.engine(), text.windows, sensitivity);
    result.baseline = labelled(std::move(result.baseline), text);
    return result;
}

}  // namespace

Envelope measure_perplexity(const PerplexityOptions& options, Progress& progress, const CancelToken& cancel) {
    if (options.against && options.treatment)
        throw InvalidArgument("give --against or --treatment, not both");
    Session session(options.model, progress, cancel);
    const Evaluation text = session.evaluation(options.text);
    session.set("seed", options.seed);
    if (options.against) return session.finish(beside_reference(session, text, options));
    if (options.treatment) {
        const Treatment treatment = parse_treatment(*options.treatment);
        session.set("treatment", to_string(treatment));
        const TreatmentOverlay overlay(treatment, is_block_linear);
        session.prepare({runs_of(session.model(), 2, text)});
        return session.finish(compared(treated_and_not(session, text, overlay), text, options.seed));
    }
    session.prepare({runs_of(session.model(), 1, text)});
    const auto scores = measure(session, text, {{&session.model(), nullptr}});
    return session.finish(
        labelled(perplexity_result(scores[0], longest_window(text.windows), options.seed), text));
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
    const Evaluation text = session.evaluation(options.text);
    session.prepare({sweep_workload(session.model(), session.select_items(options.linears), text.windows)});
    return session.finish(sweep(session, text, options));
}

Envelope diagnose(const SweepOptions& options, Progress& progress, const CancelToken& cancel) {
    Session session(options.model, progress, cancel);
    const Treatment treatment = parse_treatment(options.treatment);
    session.set("treatment", to_string(treatment));
    session.set("seed", options.seed);
    const Evaluation text = session.evaluation(options.text);
    const auto items = session.select_items(options.linears);
    session.prepare(
        {runs_of(session.model(), 2, text), sweep_workload(session.model(), items, text.windows)});
    DiagnoseResult result;
    const TreatmentOverlay together(treatment, block_linears_of(session.model(), items));
    const auto scores = treated_and_not(session, text, together);
    result.perplexity = labelled(perplexity_result(scores[0].blocks, longest_window(text.windows)), text);
    result.all_treated = compared(scores, text, options.seed);
    result.weights = measure_weight_errors(session.model(), items, treatment, session.engine());
    result.sensitivity = sweep(session, text, options);
    result.shares = damage_shares(result.sensitivity.linears);
    result.rank_correlation_weight_error_damage =
        weight_error_correlation(result.weights.linears, result.sensitivity.linears);
    return session.finish(std::move(result));
}

}  // namespace assay
