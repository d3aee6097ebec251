// The result of `assay compare calibration`: methods calibrated on different texts, measured on several.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/interval.h"
#include "records/block_sums.h"
#include "records/eval.h"

namespace assay {

// A model on one evaluation text; beside the reference on the same positions.
struct EvaluationOutcome {
    std::string text;
    double ppl = 0;
    double kl = 0;  // nats per token; 0 for the reference itself
    std::optional<Interval> kl_ci95;
    double top1_agreement = 1;
    std::vector<BlockSums> blocks;

    bool operator==(const EvaluationOutcome&) const = default;
};

// A model's answers to a task, beside the reference's.
struct TaskOutcome {
    std::string task;     // as EvalResult has it
    double accuracy = 0;  // share of the questions answered right
    std::optional<Interval> accuracy_ci95;
    EvalComparison comparison;          // JSON: its fields stand beside the others
    std::vector<std::int64_t> correct;  // of each question: 1 where it is answered right, else 0

    bool operator==(const TaskOutcome&) const = default;
};

// One calibration of one method.
struct CalibrationRun {
    std::string treatment;
    std::string set;
    std::int64_t samples = 0;  // windows
    std::int64_t length = 0;   // tokens of each
    std::int64_t seed = 0;     // of the choice of windows, and of the labels that a method draws
    double seconds = 0;        // to calibrate and choose the codes
    std::vector<EvaluationOutcome> evaluations;
    std::optional<TaskOutcome> task;  // where one was asked for

    bool operator==(const CalibrationRun&) const = default;
};

// Two sets that differ in nothing else, over their seeds.
struct CalibrationContrast {
    std::string treatment, text;  // of accuracy: the task
    std::string better, worse;    // by the mean
    // Mean KL of the worse one - that of the better one, nats per token; of accuracy: better - worse, a share
    // of the questions.
    double difference = 0;
    std::optional<Interval> difference_ci95;
    double q_value = 1;  // two-sided, Benjamini-Hochberg over all contrasts, of KL and of accuracy
    bool shown = false;  // q_value <= 0.05

    bool operator==(const CalibrationContrast&) const = default;
};

// One set's statistics of a linear's input, and what they are worth elsewhere.
struct InputAudit {
    std::string linear;  // the first of those that read the input
    std::string set;
    std::int64_t inputs = 0, positions = 0;
    double effective_rank = 0;  // inputs² / Σ c_ij², c the correlations: from 1 to the number of inputs
    // Of each evaluation text, in their order: Σ_c min(p_c, q_c) of the channels' shares of energy.
    std::vector<double> energy_overlap;

    bool operator==(const InputAudit&) const = default;
};

struct CompareCalibrationResult {
    std::vector<EvaluationOutcome> references;  // the model as it is, on each text
    std::vector<CalibrationRun> runs;
    std::vector<CalibrationContrast> contrasts;  // of KL
    std::vector<InputAudit> audits;
    // Where a task was asked for.
    std::optional<TaskBaseline> task;  // the model as it is
    std::optional<std::vector<CalibrationContrast>> accuracy_contrasts;

    bool operator==(const CompareCalibrationResult&) const = default;
};

}  // namespace assay
