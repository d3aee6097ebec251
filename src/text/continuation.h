// A task made from any text: which sentence comes next?
#pragma once

#include <cstdint>
#include <string_view>

#include "text/task.h"

namespace assay {

struct ContinuationOptions {
    std::int64_t questions = 400;  // at most
    std::uint64_t seed = 0;        // of the sentences and their places among the choices
};

// Sentences of the text, drawn at random: each question's context is what stands before one (at least
// kContextBytes, from the beginning of a sentence on), its choices are that sentence and three others of
// nearly its length from elsewhere in the text. Sentences are those of Unicode TR29; those of less than
// kMinSentence or more than kMaxSentence characters are not asked for. kAccNorm. `what` names the text in
// errors. Throws FormatError for a text that is not UTF-8 or has too few sentences.
Task continuation_task(std::string_view text, std::string_view what, const ContinuationOptions& options);

inline constexpr std::size_t kContextBytes = 200;
inline constexpr std::int64_t kMinSentence = 25, kMaxSentence = 400;

}  // namespace assay
