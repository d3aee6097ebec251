// The "pattern" member of Split and Replace.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "container/json.h"
#include "text/regex.h"

namespace assay {

// {"String": text} or {"Regex": pattern} in the member "pattern" of `config`. Throws FormatError,
// Unsupported.
Regex require_pattern(const Json& config, std::string_view where);

// `text` with `content` in place of every match of `pattern`. Throws FormatError where the result would
// exceed `max_bytes`.
std::string replace_matches(std::string_view text, const Regex& pattern, std::string_view content,
                            std::size_t max_bytes);

// Throws FormatError where a rule of the tokenizer has grown a text beyond `max_bytes`.
void check_growth(std::size_t bytes, std::size_t max_bytes);

}  // namespace assay
