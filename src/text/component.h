// The parts of a tokenizer are built from JSON by a table: type name -> builder.
#pragma once

#include <fmt/format.h>

#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "container/json.h"

namespace assay {

// One row of a table: how a part of this type is built from its JSON object; `where` names the object in
// errors.
template <class Part>
struct PartKind {
    std::string_view type;
    Part (*build)(const Json& config, std::string_view where);
};

// Builds the part that `config`'s "type" names. Throws FormatError for a malformed object and Unsupported,
// listing the table's types, for another type.
template <class Part>
Part build_part(const Json& config, std::string_view where, std::span<const PartKind<Part>> kinds) {
    const std::string type = require_string(config, "type", where);
    std::string known;
    for (const PartKind<Part>& kind : kinds) {
        if (kind.type == type) return kind.build(config, where);
        known += fmt::format("{}{}", known.empty() ? "" : ", ", kind.type);
    }
    throw Unsupported(
        fmt::format("{}: type \"{:.100}\" is not supported; supported: {}", where, type, known));
}

}  // namespace assay
