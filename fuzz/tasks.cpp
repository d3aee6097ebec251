// Fuzz target: any bytes as an MMLU file, as JSON lines of questions, and as a text to make questions of.
// Questions that come out can be asked: enough choices with text, and a right one among them.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "attempt.h"
#include "text/choice_lines.h"
#include "text/continuation.h"
#include "text/mmlu.h"

namespace {

void check(const assay::TaskQuestion& question) {
    const auto count = question.choices.size();
    if (count < assay::kMinChoices || count > assay::kMaxChoices || question.answer >= count) std::abort();
    for (const assay::TaskChoice& choice : question.choices) {
        if (assay::characters(choice) < 1) std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    attempt([&] {
        const auto rows = assay::parse_mmlu(text, "fuzz");
        assay::mmlu_prompt("fuzz", rows);
        for (const assay::MmluRow& row : rows) check(assay::mmlu_question(row, 0, "fuzz"));
    });
    attempt([&] {
        for (const auto& question : assay::parse_choice_lines(text, "fuzz").questions) check(question);
    });
    attempt([&] {
        for (const auto& question : assay::continuation_task(text, "fuzz", {.questions = 5}).questions)
            check(question);
    });
    return 0;
}
