// Normalizers: what a tokenizer does to a text before it is cut into pieces.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "container/json.h"

namespace assay {

// Valid UTF-8 to valid UTF-8. Throws FormatError where the result would exceed `max_bytes` (rules can grow a
// text exponentially).
using Normalizer = std::function<std::string(std::string text, std::size_t max_bytes)>;

// Builds the "normalizer" of a tokenizer.json; null for none: the text stays as it is. Throws FormatError,
// and Unsupported for kinds other than Sequence, NFC, NFD, NFKC, NFKD, Lowercase, Replace, Prepend, Strip,
// StripAccents, Precompiled.
Normalizer build_normalizer(const Json* config, std::string_view where);

}  // namespace assay
