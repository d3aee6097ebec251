// The result of `assay eval`: how many questions of a task a model answers right, and which of them a
// reference answers otherwise.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/interval.h"

namespace assay {

struct EvalQuestion {
    std::string id;
    std::int64_t chosen = 0;  // index of a choice, from 0; this and the next two by the result's metric
    bool correct = false;
    std::int64_t answer = 0;               // the right choice
    std::vector<double> log_likelihoods;   // Σ ln p of each choice's continuation, nats
    std::vector<std::int64_t> characters;  // of each choice, by which acc_norm divides them
    // Of the reference, where there is one.
    std::optional<std::int64_t> reference_chosen;
    std::optional<bool> reference_correct;
    std::optional<std::vector<double>> reference_log_likelihoods;

    bool operator==(const EvalQuestion&) const = default;
};

struct EvalSubject {
    std::string name;
    std::int64_t questions = 0;
    double accuracy = 0;
    std::optional<Interval> accuracy_ci95;
    std::optional<double> reference_accuracy;

    bool operator==(const EvalSubject&) const = default;
};

// The model beside a reference on the same questions; differences are model - reference.
struct EvalComparison {
    double reference_accuracy = 0;
    std::optional<Interval> reference_accuracy_ci95;
    double accuracy_difference = 0;
    std::optional<Interval> accuracy_difference_ci95;  // paired
    std::int64_t flips_to_wrong = 0;                   // right in the reference only
    std::int64_t flips_to_right = 0;                   // right in the model only
    std::int64_t answers_changed = 0;                  // another choice, right or not
    double mcnemar_p = 1;                              // two-sided exact: are the flips one-sided?
    double right_probability_difference = 0;
    std::optional<Interval> right_probability_difference_ci95;  // paired

    bool operator==(const EvalComparison&) const = default;
};

struct EvalResult {
    std::string task;  // "mmlu", "hellaswag", "arc", "piqa", "winogrande", "choices", "continuation"
    std::string
        metric;  // "acc": the choice with the largest log-likelihood; "acc_norm": divided by its characters
    std::int64_t shots = 0;
    double accuracy = 0;  // share of the questions answered right
    std::optional<Interval> accuracy_ci95;
    double acc = 0;  // the accuracy by either metric
    double acc_norm = 0;
    double chance = 0;  // accuracy of guessing
    double right_probability =
        0;  // mean of exp(ll of the right choice) / Σ exp(ll): moves before answers flip
    std::int64_t shortened = 0;  // questions that lost their beginning to the model's context length
    std::vector<EvalSubject> subjects;
    std::vector<EvalQuestion> questions;
    std::optional<EvalComparison> comparison;  // JSON: its fields stand beside the others

    bool operator==(const EvalResult&) const = default;
};

// The reference's answers to the task that swaps, or calibrations, are measured by.
struct TaskBaseline {
    std::string task, metric;  // as EvalResult has them
    std::int64_t questions = 0;
    double accuracy = 0;
    std::optional<Interval> accuracy_ci95;

    bool operator==(const TaskBaseline&) const = default;
};

}  // namespace assay
