// A task's questions as a session's models are asked them.
#pragma once

#include <span>
#include <vector>

#include "measure/runs.h"
#include "text/task_windows.h"
#include "workflow/session.h"
#include "workflow/task_files.h"

namespace assay {

struct PosedTask {
    LoadedTask loaded;
    TaskWindows text;
};

// The questions as windows of the session's model; its settings and inputs say which. `options` are those
// that the task was loaded with. Throws as Session::tokenizer() and task_windows().
PosedTask pose_task(Session& session, const EvalOptions& options, LoadedTask loaded);

// What asking these runs beside each other will take.
Workload task_workload(const PosedTask& posed, std::span<const Run> runs);

// Each run's scores on the task's windows, the first the reference of the others. What windows begin with in
// common is computed once where all models allow it. Throws as measure_runs().
std::vector<RunScores> ask(const Engine& engine, const PosedTask& posed, std::span<const Run> runs);

}  // namespace assay
