// Post-processors: the special tokens around a text.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "container/json.h"

namespace assay {

struct PostProcessor {
    std::vector<std::int32_t> before;
    std::vector<std::int32_t> after;
};

// Builds the "post_processor" of a tokenizer.json, its form for a single text; null for none. Throws
// FormatError, and Unsupported for kinds other than Sequence, ByteLevel (which adds nothing),
// TemplateProcessing.
PostProcessor build_post_processor(const Json* config, std::string_view where);

}  // namespace assay
