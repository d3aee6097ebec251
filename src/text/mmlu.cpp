#include "text/mmlu.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "container/csv.h"
#include "text/unicode.h"

namespace assay {
namespace {

constexpr std::string_view kLetters = "ABCD", kDigits = "0123";
constexpr std::size_t kFields = 2 + kLetters.size();

std::size_t answer_of(const CsvRow& row, std::string_view what) {
    const std::string& text = row.fields.back();
    for (const std::string_view names : {kLetters, kDigits}) {
        const auto found = text.size() == 1 ? names.find(text) : names.npos;
        if (found != names.npos) return found;
    }
    throw FormatError(
        fmt::format("{}: line {}: the answer, the last field, must be a letter A to D or a number 0 to 3",
                    what, row.line));
}

std::string asked(const MmluRow& row) {
    std::string text(stripped(row.question));
    for (std::size_t c = 0; c < row.choices.size(); ++c)
        text += fmt::format("\n{}. {}", kLetters[c], row.choices[c]);
    return text + "\nAnswer:";
}

}  // namespace

std::vector<MmluRow> parse_mmlu(std::string_view csv, std::string_view what) {
    require_utf8(csv, what);
    std::vector<MmluRow> rows;
    bool first = true;
    for_each_csv_row(csv, kFields, what, [&](const CsvRow& row) {
        const bool header = std::exchange(first, false) && row.fields.back() == "answer";
        if (header) return;
        MmluRow& parsed = rows.emplace_back();
        parsed.answer = answer_of(row, what);
        parsed.question = row.fields.front();
        if (stripped(parsed.question).empty())
            throw FormatError(fmt::format("{}: line {}: the question is empty", what, row.line));
        std::copy_n(row.fields.begin() + 1, parsed.choices.size(), parsed.choices.begin());
    });
    return rows;
}

std::string mmlu_prompt(std::string_view subject, std::span<const MmluRow> examples) {
    std::string name(subject);
    std::replace(name.begin(), name.end(), '_', ' ');
    std::string prompt =
        fmt::format("The following are multiple choice questions (with answers) about {}.\n\n", name);
    for (const MmluRow& row : examples) prompt += fmt::format("{} {}\n\n", asked(row), kLetters[row.answer]);
    return prompt;
}

TaskQuestion mmlu_question(const MmluRow& row, std::size_t subject, std::string id) {
    TaskQuestion question{std::move(id), subject, asked(row), {}, row.answer};
    for (const char letter : kLetters) question.choices.push_back({.continuation = {' ', letter}});
    return question;
}

}  // namespace assay
