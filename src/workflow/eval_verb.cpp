// The verb eval.
#include <algorithm>

#include "base/error.h"
#include "measure/runs.h"
#include "measure/task_answers.h"
#include "text/task_windows.h"
#include "text/windows.h"
#include "treat/treatment_overlay.h"
#include "workflow/other_models.h"
#include "workflow/session.h"
#include "workflow/task_files.h"
#include "workflow/workflow.h"

namespace assay {
namespace {

void set_options(const EvalOptions& options, const LoadedTask& loaded, Session& session) {
    session.set("task", options.task);
    session.set("metric", to_string(loaded.metric));
    session.set("questions", loaded.task.questions.size());
    if (options.task == "mmlu") {
        session.set("task_data", options.task_data->string());
        session.set("shots", loaded.shots);
        session.set("subjects", options.subjects);
    }
    if (options.task == "continuation") session.set("seed", options.seed);
    for (const auto& file : loaded.files) session.add_input(file);
}

// The runs on the same windows; the first is the reference of a second.
EvalResult result_of(Session& session, const LoadedTask& loaded, const TaskWindows& text,
                     const std::vector<Run>& runs) {
    const Model& model = runs.size() > 1 ? larger(*runs[0].model, *runs[1].model) : *runs[0].model;
    const bool share = std::all_of(runs.begin(), runs.end(), [&](const Run& run) {
        return can_share_prefixes(*run.model, text.windows);
    });
    const Prefixes prefixes = share ? Prefixes::kShared : Prefixes::kSeparate;
    session.prepare({{.model = &model,
                      .runs = std::ssize(runs),
                      .windows = text.windows,
                      .shared = shared_rows(text.windows, prefixes)}});
    const auto scores = measure_runs(session.engine(), text.windows, runs, {.prefixes = prefixes});
    EvalResult result = runs.size() > 1
                            ? eval_result(loaded.task, loaded.metric, scores[0].blocks, scores[1].blocks)
                            : eval_result(loaded.task, loaded.metric, scores[0].blocks);
    result.shots = loaded.shots;
    result.shortened = text.shortened;
    return result;
}

}  // namespace

Envelope measure_task(const EvalOptions& options, Progress& progress, const CancelToken& cancel) {
    if (options.against && options.treatment)
        throw InvalidArgument("give --against or --treatment, not both");
    const LoadedTask loaded = load_task(options);
    Session session(options.model, progress, cancel);
    set_options(options, loaded, session);
    const Model& model = session.model();
    const TaskWindows text = task_windows(loaded.task, session.tokenizer(), model.config().max_positions);
    session.set("windows_sha256", windows_sha256(text.windows));
    if (options.against) {
        session.set("against", options.against->string());
        const Model reference = load_reference(session, *options.against);
        return session.finish(result_of(session, loaded, text, {{&reference, nullptr}, {&model, nullptr}}));
    }
    if (options.treatment) {
        const Treatment treatment = parse_treatment(*options.treatment);
        session.set("treatment", to_string(treatment));
        const TreatmentOverlay overlay(treatment, is_block_linear);
        return session.finish(result_of(session, loaded, text, {{&model, nullptr}, {&model, &overlay}}));
    }
    return session.finish(result_of(session, loaded, text, {{&model, nullptr}}));
}

}  // namespace assay
