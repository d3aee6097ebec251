// The verbs that run models: perplexity, sensitivity, blame, diagnose.
#include <algorithm>
#include <map>
#include <string>

#include "analyze/blame.h"
#include "analyze/edge_blocks.h"
#include "analyze/findings.h"
#include "analyze/model_patterns.h"
#include "analyze/ranking.h"
#include "analyze/sensitivity.h"
#include "analyze/task_effects.h"
#include "base/error.h"
#include "measure/activation_result.h"
#include "measure/runs.h"
#include "measure/summary.h"
#include "quantize/clipping.h"
#include "text/task_windows.h"
#include "treat/model_differences.h"
#include "treat/treatment_overlay.h"
#include "treat/weight_errors.h"
#include "workflow/calibrated_model.h"
#include "workflow/other_models.h"
#include "workflow/session.h"
#include "workflow/task_files.h"
#include "workflow/tokenizer_files.h"
#include "workflow/workflow.h"

namespace assay {
namespace {

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

PerplexityResult beside_reference(Session& session, const Evaluation& text,
                                  const PerplexityOptions& options) {
    session.set("against", options.against->string());
    const Model reference = load_reference(session, *options.against);
    session.prepare({runs_of(larger(reference, session.model()), 2, text)});
    return compared(measure(session, text, {{&reference, nullptr}, {&session.model(), nullptr}}), text,
                    options.seed);
}

// The model treated, beside itself untreated.
std::vector<RunScores> treated_and_not(Session& session, const Evaluation& text,
                                       const TreatmentOverlay& overlay) {
    return measure(session, text, {{&session.model(), nullptr}, {&session.model(), &overlay}});
}

// The model treated block after block on calibration windows, beside itself untreated.
PerplexityResult beside_calibrated(Session& session, const Evaluation& text, const Treatment& treatment,
                                   const PerplexityOptions& options) {
    const auto calibration = options.calibration_ids ? calibration_of_ids(session, *options.calibration_ids)
                                                     : session.calibration(options.calibration, text.windows);
    std::vector<Workload> work = calibration_work(session, treatment, calibration);
    work.push_back(runs_of(session.model(), 2, text));
    session.prepare(work);
    const auto measured = [&](const auto& treated) {
        PerplexityResult result =
            compared(measure(session, text, {{&session.model(), nullptr}, {&session.model(), &treated}}),
                     text, options.seed);
        result.calibrated = treated.reports();
        return result;
    };
    if (treatment.activations) return measured(*treat_inputs(session, treatment, calibration));
    const TreatedModel treated = treat_model(session, treatment, calibration, options.seed);
    PerplexityResult result = measured(*treated.weights);
    if (!treated.growth.empty()) result.growth = treated.growth;
    return result;
}

SensitivityMethod method_of(const std::string& name) {
    if (name == "exact") return SensitivityMethod::kExact;
    if (name == "score") return SensitivityMethod::kScore;
    if (name == "hybrid") return SensitivityMethod::kHybrid;
    throw InvalidArgument("--method " + name + " is unknown; hybrid, exact and score exist");
}

// What sensitivity and blame have in common.
template <class Options>
SensitivityOptions chosen_method(Session& session, const Options& options) {
    if (options.top < 0) throw InvalidArgument("--top is a number of linears");
    session.set("method", options.method);
    session.set("top", options.top);
    session.set("seed", options.seed);
    return {.treatments = {},
            .items = session.select_items(options.linears),
            .method = method_of(options.method),
            .top = static_cast<std::size_t>(options.top),
            .seed = options.seed};
}

SensitivityOptions sensitivity_options(Session& session, const SweepOptions& options) {
    if (options.treatments.empty()) throw InvalidArgument("give at least one --treatment");
    SensitivityOptions out = chosen_method(session, options);
    if (options.parts && out.method == SensitivityMethod::kExact)
        throw InvalidArgument("--parts are told by scores: it needs --method hybrid or score");
    out.parts = options.parts;
    session.set("parts", options.parts);
    Json names = Json::array();
    for (const std::string& text : options.treatments) {
        out.treatments.push_back(parse_treatment(text));
        names.push_back(to_string(out.treatments.back()));
    }
    session.set("treatments", names);
    return out;
}

bool any(const SensitivityOptions& options, bool (*is)(const Treatment&)) {
    return std::any_of(options.treatments.begin(), options.treatments.end(), is);
}

bool rounds_inputs(const Treatment& treatment) {
    return treatment.activations.has_value();
}

// Calibrated methods, and those that quantize inputs, treat linears of blocks.
void leave_blocks_linears(const Model& model, SensitivityOptions& options) {
    options.items = block_linears(model, std::move(options.items));
    if (options.items.empty())
        throw InvalidArgument(
            "calibrated methods and quantized activations are of linears of blocks; --linears matches none "
            "of "
            "them");
}

constexpr std::string_view kTaskPrefix = "task:";

EvalOptions task_of(const SweepOptions& options) {
    if (!options.metric.starts_with(kTaskPrefix))
        throw InvalidArgument("--metric " + options.metric + " is unknown; kl and task:TASK exist");
    EvalOptions task;
    task.task = options.metric.substr(kTaskPrefix.size());
    task.task_data = options.task_data;
    task.text = options.text.text;
    task.shots = options.shots;
    task.subjects = options.subjects;
    task.max_questions = options.max_questions;
    task.seed = options.seed;
    return task;
}

// Scores rank; swaps are measured by the task: those of the worst, or with the exact method all.
SensitivityResult task_sensitivity(Session& session, const SweepOptions& options, SensitivityOptions chosen,
                                   const Evaluation& text, std::span<const EvaluationWindow> calibration) {
    if (chosen.method == SensitivityMethod::kScore)
        throw InvalidArgument("--metric task:… measures swaps: it needs --method hybrid or exact");
    const LoadedTask loaded = load_task(task_of(options));
    for (const auto& file : loaded.files) session.add_input(file);
    const Model& model = session.model();
    const TaskWindows asked = task_windows(loaded.task, session.tokenizer(), model.config().max_positions);
    session.set("metric", options.metric);
    session.set("questions", loaded.task.questions.size());
    const std::size_t most =
        chosen.method == SensitivityMethod::kExact ? 0 : std::max<std::size_t>(1, chosen.top);
    std::vector<std::size_t> swaps;
    for (std::size_t f = 0; f < chosen.treatments.size(); ++f)
        swaps.insert(swaps.end(), chosen.items.begin(),
                     most == 0 ? chosen.items.end()
                               : chosen.items.begin() +
                                     static_cast<std::ptrdiff_t>(std::min(most, chosen.items.size())));
    chosen.method = SensitivityMethod::kScore;
    session.prepare({score_workload(model, chosen.treatments.size(), text.windows, chosen.parts),
                     sweep_workload(model, std::move(swaps), asked.windows)});
    chosen.noise_floor = session.measure_noise(text.windows);
    SensitivityResult result = measure_sensitivity(model, session.engine(), text.windows, chosen);
    result.baseline = labelled(std::move(result.baseline), text);
    add_task_effects(
        model, session.engine(), {loaded.task, loaded.metric, asked.windows},
        {.treatments = chosen.treatments, .calibration = calibration, .most = most, .seed = chosen.seed},
        result);
    return result;
}

// What measuring the sensitivity to so many treatments will take.
std::vector<Workload> sensitivity_work(const Model& model, const SensitivityOptions& options,
                                       std::size_t treatments, std::span<const EvaluationWindow> windows) {
    std::vector<std::size_t> swaps;
    if (options.method == SensitivityMethod::kExact) {
        for (std::size_t f = 0; f < treatments; ++f)
            swaps.insert(swaps.end(), options.items.begin(), options.items.end());
        return {sweep_workload(model, std::move(swaps), windows)};
    }
    // Which will be measured is not known yet: as many as may be, spread over the model, embedding and head
    // (the largest, and often the worst) among them.
    const std::size_t most = options.method == SensitivityMethod::kHybrid
                                 ? std::min(options.top + options.borderline, options.items.size())
                                 : 0;
    for (std::size_t f = 0; f < treatments; ++f) {
        for (std::size_t i = 0; i < most; ++i)
            swaps.push_back(options.items[(i + 1) * options.items.size() / most - 1]);
    }
    std::vector<Workload> work{score_workload(model, treatments, windows, options.parts)};
    if (!swaps.empty()) work.push_back(sweep_workload(model, std::move(swaps), windows));
    return work;
}

SensitivityResult sensitivity(Session& session, const Evaluation& text, SensitivityOptions options) {
    options.noise_floor = session.measure_noise(text.windows);
    SensitivityResult result = measure_sensitivity(session.model(), session.engine(), text.windows, options);
    result.baseline = labelled(std::move(result.baseline), text);
    return result;
}

std::vector<Finding> findings(Session& session, const Evaluation& text, const SensitivityOptions& chosen,
                              const SensitivityResult& sensitivity, std::int64_t most,
                              const std::map<std::size_t, WeightVerdict>& verdicts,
                              std::span<const EvaluationWindow> calibration) {
    return find_causes(session.model(), session.engine(), text.windows, sensitivity,
                       {.treatment = chosen.treatments.front(),
                        .items = chosen.items,
                        .most = static_cast<std::size_t>(most),
                        .noise_floor = session.measure_noise(text.windows),
                        .seed = chosen.seed,
                        .verdicts = verdicts,
                        .calibration = calibration});
}

// All that the weights alone say, from one reading; the verdicts are those of findings.
WeightsResult diagnosed_weights(Session& session, const SensitivityOptions& chosen,
                                const Activations& activations,
                                std::map<std::size_t, WeightVerdict>& verdicts) {
    const Treatment& treatment = chosen.treatments.front();
    const Model& model = session.model();
    const Engine engine = session.engine();
    return measure_weight_errors(model, chosen.items, treatment, engine,
                                 {.group_sweep = true,
                                  .clip_sweep = clips_by_row(treatment.format),
                                  .histograms = true,
                                  .inputs = &activations,
                                  .beside = [&](std::size_t item) {
                                      verdicts[item] =
                                          look_at_weight(model, engine.pool, model.items()[item], treatment);
                                  }});
}

}  // namespace

Envelope measure_perplexity(const PerplexityOptions& options, Progress& progress, const CancelToken& cancel) {
    if (options.against && options.treatment)
        throw InvalidArgument("give --against or --treatment, not both");
    if (options.calibration_ids && !options.treatment)
        throw InvalidArgument("--calibration-ids goes with a calibrated --treatment, such as int4-g64:gptq");
    Session session(options.model, progress, cancel);
    const Evaluation text = session.evaluation(options.text);
    session.set("seed", options.seed);
    if (options.against) return session.finish(beside_reference(session, text, options));
    if (options.treatment) {
        const Treatment treatment = parse_treatment(*options.treatment);
        session.set("treatment", to_string(treatment));
        if (is_calibrated(treatment))
            return session.finish(beside_calibrated(session, text, treatment, options));
        const TreatmentOverlay overlay(treatment, is_block_linear);
        session.prepare({runs_of(session.model(), 2, text)});
        return session.finish(compared(treated_and_not(session, text, overlay), text, options.seed));
    }
    session.prepare({runs_of(session.model(), 1, text)});
    const auto scores = measure(session, text, {{&session.model(), nullptr}});
    return session.finish(
        labelled(perplexity_result(scores[0], longest_window(text.windows), options.seed), text));
}

Envelope measure_sensitivity(const SweepOptions& options, Progress& progress, const CancelToken& cancel) {
    Session session(options.model, progress, cancel);
    SensitivityOptions chosen = sensitivity_options(session, options);
    EvaluationText wanted = options.text;
    if (options.extend_to) {
        if (chosen.method != SensitivityMethod::kHybrid || *options.extend_to < wanted.max_windows)
            throw InvalidArgument("--extend-to goes with --method hybrid and is at least --max-windows");
        chosen.first_windows = static_cast<std::size_t>(wanted.max_windows);
        wanted.max_windows = *options.extend_to;
        session.set("extend_to", *options.extend_to);
    }
    const Evaluation text = session.evaluation(wanted);
    std::vector<EvaluationWindow> calibration;
    if (any(chosen, is_calibrated) || any(chosen, rounds_inputs))
        leave_blocks_linears(session.model(), chosen);
    if (chosen.parts && any(chosen, rounds_inputs))
        throw InvalidArgument(
            "--parts are of changes of weights: treatments that quantize activations have none");
    if (any(chosen, is_calibrated)) {
        calibration = session.calibration(options.calibration, text.windows);
        chosen.calibration = calibration;
    }
    if (options.metric != "kl")
        return session.finish(task_sensitivity(session, options, chosen, text, calibration));
    session.prepare(sensitivity_work(session.model(), chosen, chosen.treatments.size(), text.windows));
    return session.finish(sensitivity(session, text, chosen));
}

Envelope blame(const BlameOptions& options, Progress& progress, const CancelToken& cancel) {
    Session session(options.model, progress, cancel);
    session.set("reference", options.reference.string());
    const Model reference = load_reference(session, options.reference);
    expect_same_shapes(reference, session.model());
    SensitivityOptions chosen = chosen_method(session, options);
    chosen.parts = chosen.method != SensitivityMethod::kExact;
    const Evaluation text = session.evaluation(options.text);
    std::vector<Workload> work = sensitivity_work(reference, chosen, 1, text.windows);
    work.push_back(runs_of(reference, 3, text));
    session.prepare(work);
    chosen.noise_floor = session.measure_noise(text.windows);
    BlameResult result = measure_blame(reference, session.model(), session.engine(), text.windows, chosen);
    for (PerplexityResult* run : {&result.total, &result.sensitivity.baseline})
        *run = labelled(std::move(*run), text);
    if (result.others) result.others = labelled(std::move(*result.others), text);
    return session.finish(std::move(result));
}

Envelope diagnose(const SweepOptions& options, Progress& progress, const CancelToken& cancel) {
    Session session(options.model, progress, cancel);
    SensitivityOptions chosen = sensitivity_options(session, options);
    chosen.top = std::max(chosen.top, static_cast<std::size_t>(std::max<std::int64_t>(options.findings, 0)));
    if (chosen.treatments.size() > 1)
        throw InvalidArgument("diagnose takes one --treatment; `assay sensitivity` takes several");
    if (options.findings < 0) throw InvalidArgument("--findings is a number of linears");
    session.set("findings", options.findings);
    const Treatment& treatment = chosen.treatments.front();
    if (treatment.activations) {
        throw InvalidArgument(
            "diagnose looks for what is wrong with weights: give a --treatment without activations; `assay "
            "sensitivity` measures those");
    }
    const Evaluation text = session.evaluation(options.text);
    // Of findings' GPTQ; other text than that which measures.
    std::vector<EvaluationWindow> calibration;
    if (options.findings > 0 && has_tokenizer(session.files()) &&
        std::holds_alternative<IntFormat>(treatment.format))
        calibration = session.calibration(options.calibration, text.windows);
    std::vector<Workload> work =
        sensitivity_work(session.model(), chosen, chosen.treatments.size(), text.windows);
    work.push_back(runs_of(session.model(), 2, text));
    work.push_back(
        activations_workload(session.model(), session.engine().backend, text.windows, chosen.items));
    if (session.model().config().layers >= kLeastBlocks)
        work.push_back(runs_of(session.model(), kAdviceRuns, text));
    const auto causes = findings_workload(session.model(), chosen.items, options.findings, text.windows);
    work.insert(work.end(), causes.begin(), causes.end());
    session.prepare(work);
    DiagnoseResult result;
    session.begin_part("whole runs");
    const TreatmentOverlay together(treatment, only_block_linears(session.model(), chosen.items));
    const auto scores = treated_and_not(session, text, together);
    result.perplexity = labelled(perplexity_result(scores[0].blocks, longest_window(text.windows)), text);
    result.all_treated = compared(scores, text, options.seed);
    session.begin_part("activations");
    const Activations activations =
        measure_activations(session.model(), session.engine(), text.windows, chosen.items);
    result.activations = activations_result(session.model(), activations, text.windows);
    session.begin_part("weights");
    std::map<std::size_t, WeightVerdict> verdicts;
    result.weights = diagnosed_weights(session, chosen, activations, verdicts);
    session.begin_part("sensitivity");
    result.sensitivity = sensitivity(session, text, chosen);
    session.begin_part("patterns");
    result.patterns = find_patterns(session.model(), session.engine(), text.windows, treatment,
                                    {result.weights, result.sensitivity, *result.activations}, chosen.seed);
    result.shares = damage_shares(result.sensitivity.linears);
    result.rank_correlation_weight_error_damage =
        weight_error_correlation(result.weights.linears, result.sensitivity.linears);
    session.begin_part("findings");
    result.findings =
        findings(session, text, chosen, result.sensitivity, options.findings, verdicts, calibration);
    return session.finish(std::move(result));
}

}  // namespace assay
