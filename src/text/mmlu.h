// MMLU (Hendrycks et al. 2021, "Measuring Massive Multitask Language Understanding"): its CSV files and its
// prompt.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/task.h"

namespace assay {

struct MmluRow {
    std::string question;
    std::array<std::string, 4> choices;
    std::size_t answer = 0;

    bool operator==(const MmluRow&) const = default;
};

// Rows of question, four choices and the answer, a letter A to D or a number 0 to 3. A first row whose last
// field is "answer" is a header. `what` names the text in errors. Throws FormatError, with the line, for
// anything else, empty questions, and text that is not UTF-8.
std::vector<MmluRow> parse_mmlu(std::string_view csv, std::string_view what);

// The instruction of a subject ("abstract_algebra"), and solved examples. Source, also of the questions'
// form: lm-evaluation-harness 0.4, tasks/mmlu/default.
std::string mmlu_prompt(std::string_view subject, std::span<const MmluRow> examples);

// Scored are the letters: " A" to " D".
TaskQuestion mmlu_question(const MmluRow& row, std::size_t subject, std::string id);

}  // namespace assay
