// What swaps do to a task's answers.
#pragma once

#include <span>

#include "measure/task_answers.h"
#include "model/pass.h"
#include "records/sensitivity.h"
#include "records/treatment.h"

namespace assay {

// Questions with the windows that ask them (text/task_windows.h).
struct AskedTask {
    const Task& task;
    TaskMetric metric = TaskMetric::kAcc;
    std::span<const EvaluationWindow> windows;
};

// Exact swaps of each treatment's worst `most` linears (0: all) on the task's windows: fills `task` of their
// rows and of the result. They come first in their treatment's ranking then: by accuracy lost, then by
// probability of the right choice lost; category and share stay those of the damage. Treatments are those of
// `result`, in order; `calibration` is for those that are calibrated. Throws as make_overlays() and
// sweep_swaps().
void add_task_effects(const Model& model, const Engine& engine, const AskedTask& asked,
                      std::span<const Treatment> treatments, std::span<const EvaluationWindow> calibration,
                      std::size_t most, SensitivityResult& result);

}  // namespace assay
