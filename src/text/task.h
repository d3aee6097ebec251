// Multiple-choice questions as text: which of a question's choices is the likeliest continuation?
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace assay {

inline constexpr std::size_t kMinChoices = 2, kMaxChoices = 26;

// How a choice is picked from the log-likelihoods of the choices' continuations; the first on ties. Names and
// definitions of EleutherAI's lm-evaluation-harness (api/task.py, ConfigurableTask.process_results).
enum class TaskMetric {
    kAcc,      // the largest Σ ln p
    kAccNorm,  // the largest Σ ln p / characters of the choice
};

// "acc", "acc_norm".
std::string to_string(TaskMetric metric);

// A model reads the subject's prompt, the question's context and `lead`; scored is `continuation`.
struct TaskChoice {
    std::string lead = {};     // where choices differ before what they have in common
    std::string continuation;  // with the space that separates it; neither empty nor only that space

    bool operator==(const TaskChoice&) const = default;
};

struct TaskQuestion {
    std::string id;
    std::size_t subject = 0;
    std::string context;  // what all of its choices share
    std::vector<TaskChoice> choices;
    std::size_t answer = 0;

    bool operator==(const TaskQuestion&) const = default;
};

struct TaskSubject {
    std::string name = {};    // empty where a task has only one
    std::string prompt = {};  // in front of all its questions: instructions, solved examples
};

struct Task {
    std::string name;
    TaskMetric metric = TaskMetric::kAcc;  // that is usually quoted for it
    std::vector<TaskSubject> subjects;
    std::vector<TaskQuestion> questions;  // subject after subject
};

// Unicode characters of the choice, without a leading space: the length that kAccNorm divides by.
std::int64_t characters(const TaskChoice& choice);

// Leaves `most` questions (0: all): of each subject the first ones, as evenly as the subjects' sizes allow.
void limit_questions(Task& task, std::int64_t most);

}  // namespace assay
