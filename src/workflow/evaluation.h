// How the options' protocol cuts a text into windows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/evaluation_window.h"
#include "text/tokenizer.h"
#include "workflow/options.h"

namespace assay {

// What a verb measures on, and what its results say of it.
struct Evaluation {
    std::vector<EvaluationWindow> windows;
    std::string protocol = "gptq";
    std::optional<std::int64_t> stride;  // of sliding
    bool bos_per_window = false;         // every window begins with BOS
};

// Throws InvalidArgument for an unknown protocol and for options that it does not take.
void check_evaluation_text(const EvaluationText& options);

// Windows of at most `max_positions` tokens. Throws FormatError for a text that is too short or not UTF-8,
// InvalidArgument for sizes that the protocol cannot have.
Evaluation evaluate_text(const Tokenizer& tokenizer, std::string_view text, const EvaluationText& options,
                         std::int64_t max_positions);

}  // namespace assay
