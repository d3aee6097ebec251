// Cutting a text into pieces at matches, as the `tokenizers` library does it.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

#include "text/regex.h"

namespace assay {

// Receives the pieces of a text in order; a piece lives as long as the call.
using PieceSink = std::function<void(std::string_view)>;

// What becomes of the matches: dropped, pieces of their own, joined to the piece before or behind, or joined
// among themselves where they touch.
enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

// Cuts `text` at the matches of `pattern`; with `invert` the matches and what lies between them change
// places. Empty pieces are left out.
void split_at(std::string_view text, const Regex& pattern, SplitBehavior behavior, bool invert,
              const PieceSink& sink);

// The same with every character that `is_match` holds for as a match.
void split_at(std::string_view text, bool (*is_match)(char32_t), SplitBehavior behavior,
              const PieceSink& sink);

}  // namespace assay
