#include "workflow/task_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <regex>

#include "base/error.h"
#include "base/mapped_file.h"
#include "text/builtin_text.h"
#include "text/choice_lines.h"
#include "text/continuation.h"
#include "text/mmlu.h"

namespace assay {
namespace {

constexpr std::size_t kMaxTaskBytes = std::size_t{256} << 20;  // the largest known take a fifth
constexpr std::int64_t kMmluShots = 5, kContinuationQuestions = 400;

// Names of dir/test/NAME_test.csv that match, sorted.
std::vector<std::string> mmlu_subjects(const std::filesystem::path& dir, const std::string& expression) {
    constexpr std::string_view kEnd = "_test.csv";
    std::error_code error;
    std::vector<std::string> names;
    try {
        const std::regex pattern(expression);
        for (const auto& entry : std::filesystem::directory_iterator(dir / "test", error)) {
            const std::string file = entry.path().filename().string();
            if (!file.ends_with(kEnd)) continue;
            const std::string name = file.substr(0, file.size() - kEnd.size());
            if (std::regex_search(name, pattern)) names.push_back(name);
        }
    } catch (const std::regex_error& e) {
        throw InvalidArgument(
            fmt::format("--subjects '{}' is not a regular expression: {}", expression, e.what()));
    }
    if (names.empty()) {
        throw FormatError(fmt::format(
            "{}: found no test/SUBJECT_test.csv{}; --task-data is a folder of MMLU's dev/ and test/ files",
            dir.string(),
            expression.empty() ? "" : fmt::format(" of a subject that matches '{}'", expression)));
    }
    std::sort(names.begin(), names.end());
    return names;
}

std::vector<MmluRow> mmlu_rows(const std::filesystem::path& file, LoadedTask& loaded) {
    loaded.files.push_back(file);
    return parse_mmlu(read_file(file, kMaxTaskBytes), file.string());
}

LoadedTask load_mmlu(const EvalOptions& options) {
    if (!options.task_data)
        throw InvalidArgument("--task mmlu needs --task-data, a folder of MMLU's dev/ and test/ files");
    LoadedTask loaded{.task = {.name = "mmlu"}, .shots = options.shots.value_or(kMmluShots)};
    const auto shots = static_cast<std::size_t>(loaded.shots);
    for (const std::string& name : mmlu_subjects(*options.task_data, options.subjects)) {
        std::vector<MmluRow> examples;
        if (shots > 0) examples = mmlu_rows(*options.task_data / "dev" / (name + "_dev.csv"), loaded);
        if (examples.size() < shots) {
            throw FormatError(fmt::format("{} holds {} examples, --shots asks for {}",
                                          loaded.files.back().string(), examples.size(), shots));
        }
        examples.resize(shots);
        const std::size_t subject = loaded.task.subjects.size();
        loaded.task.subjects.push_back({name, mmlu_prompt(name, examples)});
        std::size_t number = 0;
        for (const MmluRow& row : mmlu_rows(*options.task_data / "test" / (name + "_test.csv"), loaded))
            loaded.task.questions.push_back(
                mmlu_question(row, subject, fmt::format("{}/{}", name, number++)));
    }
    if (loaded.task.questions.empty())
        throw FormatError(fmt::format("{}: its files hold no question", options.task_data->string()));
    return loaded;
}

LoadedTask load_continuation(const EvalOptions& options) {
    const std::int64_t asked = options.max_questions.value_or(kContinuationQuestions);
    const ContinuationOptions chosen{.questions = asked > 0 ? asked : INT64_MAX, .seed = options.seed};
    if (!options.text)
        return {.task = continuation_task(builtin_evaluation_text(), "the built-in text", chosen)};
    return {.task = continuation_task(read_file(*options.text), options.text->string(), chosen),
            .files = {*options.text}};
}

void check(const EvalOptions& options) {
    const bool mmlu = options.task == "mmlu";
    if (!mmlu && (options.task_data || options.shots || !options.subjects.empty()))
        throw InvalidArgument("--task-data, --shots and --subjects go with --task mmlu only");
    if (options.text && options.task != "continuation")
        throw InvalidArgument("--text goes with --task continuation only");
    if (options.shots.value_or(0) < 0 || options.max_questions.value_or(0) < 0)
        throw InvalidArgument("--shots and --max-questions cannot be negative");
}

TaskMetric metric_of(const EvalOptions& options, const Task& task) {
    if (!options.metric) return task.metric;
    for (const TaskMetric metric : {TaskMetric::kAcc, TaskMetric::kAccNorm}) {
        if (to_string(metric) == *options.metric) return metric;
    }
    throw InvalidArgument("--metric " + *options.metric + " is unknown; acc and acc_norm exist");
}

}  // namespace

LoadedTask load_task(const EvalOptions& options) {
    check(options);
    LoadedTask loaded;
    if (options.task == "mmlu")
        loaded = load_mmlu(options);
    else if (options.task == "continuation")
        loaded = load_continuation(options);
    else
        loaded = {.task = parse_choice_lines(read_file(options.task, kMaxTaskBytes), options.task),
                  .files = {options.task}};
    limit_questions(loaded.task, options.max_questions.value_or(0));
    loaded.metric = metric_of(options, loaded.task);
    return loaded;
}

}  // namespace assay
