#include "text/pattern.h"

#include <string>

namespace assay {

Regex require_pattern(const Json& config, std::string_view where) {
    const Json& pattern = require_object(config, "pattern", where);
    const std::string path = json_path(where, "pattern");
    if (const auto text = optional_string(pattern, "String", path)) return Regex::from_literal(*text, path);
    return Regex::from_pattern(require_string(pattern, "Regex", path), path);
}

}  // namespace assay
