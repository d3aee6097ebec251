// Decoders: from the texts of tokens back to text.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "container/json.h"

namespace assay {

// Turns the tokens' texts into the parts of the decoded text, which the caller joins. Throws FormatError
// where Replace rules grow them beyond `max_bytes` in all.
using Decoder = std::function<std::vector<std::string>(std::vector<std::string>, std::size_t max_bytes)>;

// Builds the "decoder" of a tokenizer.json; null for none: the tokens with spaces between them. Throws
// FormatError, and Unsupported for kinds other than Sequence, ByteLevel, ByteFallback, Fuse, Metaspace,
// Replace, Strip.
Decoder build_decoder(const Json* config, std::string_view where);

}  // namespace assay
