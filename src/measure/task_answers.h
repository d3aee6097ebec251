// What a run answers to a task's questions: pure functions of its scored windows, for whole runs and for
// swaps.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "records/block_sums.h"
#include "records/compare_calibration.h"
#include "records/eval.h"
#include "text/task.h"

namespace assay {

struct Answer {
    std::vector<double> log_likelihoods;  // Σ ln p of each choice's scored tokens, nats
    std::int64_t chosen = 0;              // the first of the largest
    bool correct = false;
};

// A run's answers from its block sums over the task's windows (text/task_windows.h), in their order. Throws
// InvalidArgument where the blocks are of other windows.
std::vector<Answer> answers(const Task& task, TaskMetric metric, std::span<const BlockSums> blocks);

// Share of correct answers; there is at least one.
double accuracy(std::span<const Answer> answers);

// exp(ll of the right choice) / Σ exp(ll), the choices' softmax.
double right_probability(const TaskQuestion& question, const Answer& answer);

// A run beside its reference on the same questions. Shape: both have one answer a question.
EvalComparison compare_answers(const Task& task, std::span<const Answer> reference,
                               std::span<const Answer> run);

// Beside its reference, and which questions it answers right; and the reference by itself. Shape: as above.
TaskOutcome task_outcome(const Task& task, std::span<const Answer> reference, std::span<const Answer> run);
TaskBaseline task_baseline(const Task& task, TaskMetric metric, std::span<const Answer> reference);

// The record of one run, or of a run (second) beside its reference.
EvalResult eval_result(const Task& task, TaskMetric metric, std::span<const BlockSums> run);
EvalResult eval_result(const Task& task, TaskMetric metric, std::span<const BlockSums> reference,
                       std::span<const BlockSums> run);

}  // namespace assay
