// The options that Metaspace parts have as pre-tokenizer and as decoder.
#pragma once

#include <string>
#include <string_view>

#include "container/json.h"

namespace assay {

// U+2581, which stands for a space inside of tokens.
inline constexpr std::string_view kSpaceMark = "\u2581";

// Which stretches of a text get a mark in front: all, only the one that the text begins with, none.
enum class PrependScheme { kAlways, kFirst, kNever };

struct MetaspaceOptions {
    std::string mark;
    PrependScheme prepend = PrependScheme::kAlways;
    bool splits = true;
};

// "replacement", "prepend_scheme", "split", and "add_prefix_space" of older files. Throws FormatError for
// malformed members and ones that contradict each other.
MetaspaceOptions read_metaspace(const Json& config, std::string_view where);

}  // namespace assay
