#include "text/pattern.h"

#include <fmt/format.h>

#include "base/error.h"

namespace assay {

Regex require_pattern(const Json& config, std::string_view where) {
    const Json& pattern = require_object(config, "pattern", where);
    const std::string path = json_path(where, "pattern");
    if (const auto text = optional_string(pattern, "String", path)) return Regex::from_literal(*text, path);
    return Regex::from_pattern(require_string(pattern, "Regex", path), path);
}

std::string replace_matches(std::string_view text, const Regex& pattern, std::string_view content,
                            std::size_t max_bytes) {
    std::string out;
    std::size_t copied = 0;
    pattern.for_each_match(text, [&](std::size_t begin, std::size_t end) {
        out += text.substr(copied, begin - copied);
        out += content;
        copied = end;
        check_growth(out.size(), max_bytes);
    });
    out += text.substr(copied);
    check_growth(out.size(), max_bytes);
    return out;
}

void check_growth(std::size_t bytes, std::size_t max_bytes) {
    if (bytes > max_bytes) {
        throw FormatError(fmt::format(
            "the tokenizer grows a piece of text beyond {} bytes; check its Replace and Prepend rules",
            max_bytes));
    }
}

}  // namespace assay
