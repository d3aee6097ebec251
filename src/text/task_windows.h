// From a task's questions to windows of tokens, one a choice.
#pragma once

#include <cstdint>
#include <vector>

#include "base/evaluation_window.h"
#include "text/task.h"
#include "text/tokenizer.h"

namespace assay {

struct TaskWindows {
    std::vector<EvaluationWindow> windows;  // choice after choice, question after question
    std::int64_t shortened = 0;             // questions of which a choice lost its beginning
};

// Context and continuation are encoded together, and the context alone, without the white space at its end:
// scored are the tokens of the whole behind as many as the context has, at least the last one. BOS stands in
// front where the tokenizer itself puts one there; without any context BOS, or else EOS, stands for it. Of
// what is longer than `max_tokens` the last so many tokens are kept. Source: lm-evaluation-harness 0.4,
// api/model.py, _encode_pair() and models/huggingface.py, _loglikelihood_tokens(), which keeps one token
// more, and adds BOS where it is told to (add_bos_token). Throws FormatError for text that is not UTF-8, and
// for a continuation that does not fit.
TaskWindows task_windows(const Task& task, const Tokenizer& tokenizer, std::int64_t max_tokens);

}  // namespace assay
