#include "measure/task_answers.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "stats/mean_interval.h"
#include "stats/proportions.h"

namespace assay {
namespace {

std::vector<double> log_likelihoods(std::span<const BlockSums> blocks, std::size_t windows) {
    std::vector<double> sums(windows);
    std::size_t seen = 0;
    for (const BlockSums& block : blocks) {
        const auto window = static_cast<std::size_t>(block.window);
        if (window >= windows || window > seen)
            throw InvalidArgument("answers: the scores are not those of the task's windows");
        sums[window] -= block.nll_sum;
        seen = std::max(seen, window + 1);
    }
    if (seen != windows) throw InvalidArgument("answers: the scores are not those of the task's windows");
    return sums;
}

std::int64_t choose(const TaskQuestion& question, TaskMetric metric,
                    std::span<const double> log_likelihoods) {
    std::vector<double> values(log_likelihoods.begin(), log_likelihoods.end());
    if (metric == TaskMetric::kAccNorm) {
        for (std::size_t c = 0; c < values.size(); ++c)
            values[c] /= static_cast<double>(characters(question.choices[c]));
    }
    return std::max_element(values.begin(), values.end()) - values.begin();
}

std::int64_t correct_of(std::span<const Answer> answers) {
    return std::count_if(answers.begin(), answers.end(), [](const Answer& a) { return a.correct; });
}

double mean_right_probability(const Task& task, std::span<const Answer> answers) {
    double sum = 0;
    for (std::size_t q = 0; q < answers.size(); ++q) sum += right_probability(task.questions[q], answers[q]);
    return sum / static_cast<double>(answers.size());
}

std::vector<EvalSubject> subjects_of(const Task& task, std::span<const Answer> answers) {
    std::vector<EvalSubject> subjects;
    std::vector<std::int64_t> correct(task.subjects.size()), all(task.subjects.size());
    for (std::size_t q = 0; q < answers.size(); ++q) {
        ++all[task.questions[q].subject];
        correct[task.questions[q].subject] += answers[q].correct ? 1 : 0;
    }
    for (std::size_t s = 0; s < all.size(); ++s) {
        if (all[s] == 0) continue;
        subjects.push_back({.name = task.subjects[s].name,
                            .questions = all[s],
                            .accuracy = static_cast<double>(correct[s]) / static_cast<double>(all[s]),
                            .accuracy_ci95 = wilson_interval(correct[s], all[s])});
    }
    return subjects;
}

std::vector<EvalQuestion> questions_of(const Task& task, std::span<const Answer> answers) {
    std::vector<EvalQuestion> questions;
    for (std::size_t q = 0; q < answers.size(); ++q) {
        const TaskQuestion& asked = task.questions[q];
        questions.push_back({.id = asked.id,
                             .chosen = answers[q].chosen,
                             .correct = answers[q].correct,
                             .answer = static_cast<std::int64_t>(asked.answer),
                             .log_likelihoods = answers[q].log_likelihoods});
        for (const TaskChoice& choice : asked.choices)
            questions.back().characters.push_back(characters(choice));
    }
    return questions;
}

double chance_of(const Task& task) {
    double sum = 0;
    for (const TaskQuestion& question : task.questions)
        sum += 1.0 / static_cast<double>(question.choices.size());
    return sum / static_cast<double>(task.questions.size());
}

void add_reference(std::span<const Answer> reference, std::span<const EvalSubject> subjects,
                   EvalResult& result) {
    for (std::size_t q = 0; q < reference.size(); ++q) {
        EvalQuestion& question = result.questions[q];
        question.reference_chosen = reference[q].chosen;
        question.reference_correct = reference[q].correct;
        question.reference_log_likelihoods = reference[q].log_likelihoods;
    }
    for (std::size_t s = 0; s < subjects.size(); ++s)
        result.subjects[s].reference_accuracy = subjects[s].accuracy;
}

}  // namespace

std::vector<Answer> answers(const Task& task, TaskMetric metric, std::span<const BlockSums> blocks) {
    std::size_t windows = 0;
    for (const TaskQuestion& question : task.questions) windows += question.choices.size();
    const std::vector<double> sums = log_likelihoods(blocks, windows);
    std::vector<Answer> all;
    auto next = sums.begin();
    for (const TaskQuestion& question : task.questions) {
        const auto end = next + std::ssize(question.choices);
        Answer answer{.log_likelihoods = {next, end}};
        answer.chosen = choose(question, metric, answer.log_likelihoods);
        answer.correct = answer.chosen == static_cast<std::int64_t>(question.answer);
        all.push_back(std::move(answer));
        next = end;
    }
    return all;
}

double accuracy(std::span<const Answer> answers) {
    return static_cast<double>(correct_of(answers)) / static_cast<double>(answers.size());
}

double right_probability(const TaskQuestion& question, const Answer& answer) {
    const double right = answer.log_likelihoods[question.answer];
    double sum = 0;
    for (const double ll : answer.log_likelihoods) sum += std::exp(ll - right);
    return 1 / sum;
}

EvalComparison compare_answers(const Task& task, std::span<const Answer> reference,
                               std::span<const Answer> run) {
    const auto questions = std::ssize(run);
    if (questions != std::ssize(reference) || questions != std::ssize(task.questions))
        throw InvalidArgument("compare_answers: one answer of each run to each question is needed");
    EvalComparison comparison;
    std::vector<double> differences;
    for (std::size_t q = 0; q < run.size(); ++q) {
        comparison.flips_to_wrong += reference[q].correct && !run[q].correct ? 1 : 0;
        comparison.flips_to_right += !reference[q].correct && run[q].correct ? 1 : 0;
        comparison.answers_changed += reference[q].chosen != run[q].chosen ? 1 : 0;
        differences.push_back(right_probability(task.questions[q], run[q]) -
                              right_probability(task.questions[q], reference[q]));
    }
    const std::int64_t lost = comparison.flips_to_wrong, gained = comparison.flips_to_right;
    comparison.reference_accuracy = accuracy(reference);
    comparison.reference_accuracy_ci95 = wilson_interval(correct_of(reference), questions);
    comparison.accuracy_difference = static_cast<double>(gained - lost) / static_cast<double>(questions);
    comparison.accuracy_difference_ci95 = paired_difference_interval(lost, gained, questions);
    comparison.mcnemar_p = mcnemar_p_value(lost, gained);
    comparison.right_probability_difference =
        mean_right_probability(task, run) - mean_right_probability(task, reference);
    comparison.right_probability_difference_ci95 = mean_interval(differences);
    return comparison;
}

TaskOutcome task_outcome(const Task& task, std::span<const Answer> reference, std::span<const Answer> run) {
    TaskOutcome outcome{.task = task.name,
                        .accuracy = accuracy(run),
                        .accuracy_ci95 = wilson_interval(correct_of(run), std::ssize(run)),
                        .comparison = compare_answers(task, reference, run),
                        .correct = {}};
    for (const Answer& answer : run) outcome.correct.push_back(answer.correct ? 1 : 0);
    return outcome;
}

TaskBaseline task_baseline(const Task& task, TaskMetric metric, std::span<const Answer> reference) {
    return {.task = task.name,
            .metric = to_string(metric),
            .questions = std::ssize(reference),
            .accuracy = accuracy(reference),
            .accuracy_ci95 = wilson_interval(correct_of(reference), std::ssize(reference))};
}

EvalResult eval_result(const Task& task, TaskMetric metric, std::span<const BlockSums> run) {
    const std::vector<Answer> own = answers(task, metric, run);
    return {.task = task.name,
            .metric = to_string(metric),
            .accuracy = accuracy(own),
            .accuracy_ci95 = wilson_interval(correct_of(own), std::ssize(own)),
            .acc = accuracy(answers(task, TaskMetric::kAcc, run)),
            .acc_norm = accuracy(answers(task, TaskMetric::kAccNorm, run)),
            .chance = chance_of(task),
            .right_probability = mean_right_probability(task, own),
            .subjects = subjects_of(task, own),
            .questions = questions_of(task, own)};
}

EvalResult eval_result(const Task& task, TaskMetric metric, std::span<const BlockSums> reference,
                       std::span<const BlockSums> run) {
    EvalResult result = eval_result(task, metric, run);
    const std::vector<Answer> before = answers(task, metric, reference);
    result.comparison = compare_answers(task, before, answers(task, metric, run));
    add_reference(before, subjects_of(task, before), result);
    return result;
}

}  // namespace assay
