#include "report/eval_facts.h"

#include <fmt/format.h>

#include "report/format.h"

namespace assay {
namespace {

std::string points(double share) {
    return format_signed(100 * share) + " points";
}

std::string points_interval(const std::optional<Interval>& interval) {
    if (!interval) return std::string(kNoNumber);
    return format_interval(Interval{100 * interval->low, 100 * interval->high});
}

// "B", as benchmarks call the second choice.
std::string letter(std::int64_t choice) {
    return choice >= 0 && choice < 26 ? std::string(1, static_cast<char>('A' + choice))
                                      : std::to_string(choice);
}

void add_comparison(const EvalComparison& c, std::vector<Fact>& facts) {
    facts.push_back({"accuracy, reference", format_percent(c.reference_accuracy),
                     format_percent_interval(c.reference_accuracy_ci95)});
    facts.push_back(
        {"Δ accuracy", points(c.accuracy_difference), points_interval(c.accuracy_difference_ci95)});
    facts.push_back({"flips: right → wrong, wrong → right",
                     fmt::format("{}, {}", format_count(c.flips_to_wrong), format_count(c.flips_to_right)),
                     ""});
    facts.push_back({"  p that both are as often right (McNemar)", format_significant(c.mcnemar_p), ""});
    facts.push_back({"answers changed", format_count(c.answers_changed), ""});
    facts.push_back({"Δ probability of the right choice", points(c.right_probability_difference),
                     points_interval(c.right_probability_difference_ci95)});
}

}  // namespace

std::string eval_title(const EvalResult& result) {
    const std::string shots = result.task == "mmlu" ? fmt::format(", {}-shot", result.shots) : "";
    const std::string subjects =
        result.subjects.size() > 1 ? fmt::format(" in {} subjects", result.subjects.size()) : "";
    return fmt::format("{}{}, {}: {} questions{}", safe_text(result.task), shots, safe_text(result.metric),
                       format_count(std::ssize(result.questions)), subjects);
}

std::vector<Fact> eval_facts(const EvalResult& result) {
    std::vector<Fact> facts;
    facts.push_back(
        {"accuracy", format_percent(result.accuracy), format_percent_interval(result.accuracy_ci95)});
    facts.push_back({"  acc, acc_norm",
                     fmt::format("{}, {}", format_percent(result.acc), format_percent(result.acc_norm)), ""});
    facts.push_back({"  by guessing", format_percent(result.chance), ""});
    facts.push_back({"probability of the right choice", format_percent(result.right_probability), ""});
    if (result.comparison) add_comparison(*result.comparison, facts);
    if (result.shortened > 0)
        facts.push_back({"questions cut to the model's context", format_count(result.shortened), ""});
    return facts;
}

TextRows subject_rows(const EvalResult& result) {
    if (result.subjects.size() < 2) return {};
    TextRows table{.header = {"subject", "questions", "accuracy", "95 %"}, .rows = {}};
    if (result.comparison) table.header.push_back("reference");
    for (const EvalSubject& subject : result.subjects) {
        table.rows.push_back({subject.name, format_count(subject.questions), format_percent(subject.accuracy),
                              format_percent_interval(subject.accuracy_ci95)});
        if (!result.comparison) continue;
        table.rows.back().push_back(subject.reference_accuracy ? format_percent(*subject.reference_accuracy)
                                                               : std::string(kNoNumber));
    }
    return table;
}

TextRows flip_rows(const EvalResult& result, std::size_t most) {
    TextRows table{.header = {"question", "right", "reference", "model"}, .rows = {}};
    for (const EvalQuestion& question : result.questions) {
        if (table.rows.size() == most) break;
        if (!question.reference_chosen ||
            question.reference_correct.value_or(question.correct) == question.correct)
            continue;
        table.rows.push_back({question.id, letter(question.answer), letter(*question.reference_chosen),
                              letter(question.chosen)});
    }
    return table;
}

}  // namespace assay
