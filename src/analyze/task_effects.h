// What swaps do to a task's answers.
#pragma once

#include <cstdint>
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

// Which linears are swapped, and for what.
struct TaskSwaps {
    std::span<const Treatment> treatments;          // those of the result, in order
    std::span<const EvaluationWindow> calibration;  // for those that are calibrated
    std::size_t most = 0;                           // the worst so many of each treatment; 0: all
    std::uint64_t seed = 0;                         // of the labels that calibration draws
};

// Exact swaps on the task's windows: fills `task` of their rows and of the result. They come first in their
// treatment's ranking then: by accuracy lost, then by probability of the right choice lost; category and
// share stay those of the damage. Throws as make_overlays() and sweep_swaps().
void add_task_effects(const Model& model, const Engine& engine, const AskedTask& asked,
                      const TaskSwaps& swaps, SensitivityResult& result);

}  // namespace assay
