#include "workflow/posed_task.h"

#include <algorithm>
#include <utility>

#include "workflow/other_models.h"

namespace assay {
namespace {

void note_settings(const EvalOptions& options, const LoadedTask& loaded, Session& session) {
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

Prefixes prefixes_of(std::span<const Run> runs, std::span<const EvaluationWindow> windows) {
    const bool share = std::all_of(runs.begin(), runs.end(),
                                   [&](const Run& run) { return can_share_prefixes(*run.model, windows); });
    return share ? Prefixes::kShared : Prefixes::kSeparate;
}

}  // namespace

PosedTask pose_task(Session& session, const EvalOptions& options, LoadedTask loaded) {
    note_settings(options, loaded, session);
    TaskWindows text = task_windows(loaded.task, session.tokenizer(), session.model().config().max_positions);
    return {std::move(loaded), std::move(text)};
}

Workload task_workload(const PosedTask& posed, std::span<const Run> runs) {
    const Model* most = runs.front().model;
    for (const Run& run : runs) most = &larger(*most, *run.model);
    return {.model = most,
            .runs = std::ssize(runs),
            .windows = posed.text.windows,
            .shared = shared_rows(posed.text.windows, prefixes_of(runs, posed.text.windows))};
}

std::vector<RunScores> ask(const Engine& engine, const PosedTask& posed, std::span<const Run> runs) {
    return measure_runs(engine, posed.text.windows, runs,
                        {.prefixes = prefixes_of(runs, posed.text.windows)});
}

}  // namespace assay
