// The "pattern" member of Split and Replace.
#pragma once

#include <string_view>

#include "container/json.h"
#include "text/regex.h"

namespace assay {

// {"String": text} or {"Regex": pattern} in the member "pattern" of `config`. Throws FormatError,
// Unsupported.
Regex require_pattern(const Json& config, std::string_view where);

}  // namespace assay
