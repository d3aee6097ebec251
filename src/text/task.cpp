#include "text/task.h"

#include <algorithm>

namespace assay {

std::string to_string(TaskMetric metric) {
    return metric == TaskMetric::kAcc ? "acc" : "acc_norm";
}

std::int64_t characters(const TaskChoice& choice) {
    const std::string& text = choice.continuation;
    // Every character of UTF-8 has one byte that does not continue another.
    const auto all = std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; });
    return all - (text.starts_with(' ') ? 1 : 0);
}

void limit_questions(Task& task, std::int64_t most) {
    auto& questions = task.questions;
    if (most <= 0 || most >= std::ssize(questions)) return;
    struct Place {
        std::size_t in_subject, question;
    };
    std::vector<std::size_t> seen(task.subjects.size());
    std::vector<Place> places;
    for (std::size_t q = 0; q < questions.size(); ++q) places.push_back({seen[questions[q].subject]++, q});
    std::stable_sort(places.begin(), places.end(),
                     [](const Place& a, const Place& b) { return a.in_subject < b.in_subject; });
    places.resize(static_cast<std::size_t>(most));
    std::sort(places.begin(), places.end(),
              [](const Place& a, const Place& b) { return a.question < b.question; });
    std::vector<TaskQuestion> kept;
    for (const Place& place : places) kept.push_back(std::move(questions[place.question]));
    questions = std::move(kept);
}

}  // namespace assay
