#include "text/task_windows.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "text/unicode.h"

namespace assay {
namespace {

class TaskEncoder {
  public:
    TaskEncoder(const Tokenizer& tokenizer, std::int64_t max_tokens)
        : tokenizer_(tokenizer), max_tokens_(max_tokens) {}

    // Tells in `shortened` whether tokens were dropped.
    EvaluationWindow window(const std::string& context, const TaskChoice& choice, bool& shortened) {
        if (context != context_) {  // a question's choices share it
            context_ids_ = encode(stripped_behind(context));
            unled_ = context_ids_.empty();
            if (unled_) context_ids_.push_back(start());
            context_ = context;
        }
        std::vector<std::int32_t> tokens = encode(context + choice.continuation);
        if (unled_) tokens.insert(tokens.begin(), start());
        const std::int64_t all = std::ssize(tokens);
        const std::int64_t scored = all - std::min(std::ssize(context_ids_), all - 1);
        if (all < 2 || scored >= max_tokens_) {
            throw FormatError(
                fmt::format("a choice of {} tokens cannot be scored by a model with a context of {}", scored,
                            max_tokens_));
        }
        if (all > max_tokens_) {
            tokens.erase(tokens.begin(), tokens.end() - max_tokens_);
            shortened = true;
        }
        const std::int64_t context_tokens = std::ssize(tokens) - scored;
        return {std::move(tokens), context_tokens - 1};
    }

  private:
    std::vector<std::int32_t> encode(std::string_view text) const {
        std::vector<std::int32_t> ids = tokenizer_.encode(text, false);
        if (tokenizer_.adds_bos() && tokenizer_.bos_id()) ids.insert(ids.begin(), *tokenizer_.bos_id());
        return ids;
    }

    // Stands for a context that is empty.
    std::int32_t start() const {
        const auto id = tokenizer_.bos_id() ? tokenizer_.bos_id() : tokenizer_.eos_id();
        if (!id)
            throw FormatError("nothing stands before a choice, and the tokenizer has neither BOS nor EOS");
        return *id;
    }

    const Tokenizer& tokenizer_;
    std::int64_t max_tokens_;
    std::optional<std::string> context_;  // whose ids are kept
    std::vector<std::int32_t> context_ids_;
    bool unled_ = false;  // it has no tokens of its own
};

}  // namespace

TaskWindows task_windows(const Task& task, const Tokenizer& tokenizer, std::int64_t max_tokens) {
    TaskWindows all;
    TaskEncoder encoder(tokenizer, max_tokens);
    for (const TaskQuestion& question : task.questions) {
        const std::string shared = task.subjects[question.subject].prompt + question.context;
        bool shortened = false;
        try {
            for (const TaskChoice& choice : question.choices)
                all.windows.push_back(encoder.window(shared + choice.lead, choice, shortened));
        } catch (const FormatError& e) {
            throw FormatError(fmt::format("question {}: {}", question.id, e.what()));
        }
        all.shortened += shortened ? 1 : 0;
    }
    return all;
}

}  // namespace assay
