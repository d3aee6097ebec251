#include "text/metaspace.h"

#include <fmt/format.h>

#include "base/error.h"
#include "text/unicode.h"

namespace assay {
namespace {

PrependScheme prepend_scheme(std::string_view name, std::string_view where) {
    if (name == "always") return PrependScheme::kAlways;
    if (name == "first") return PrependScheme::kFirst;
    if (name == "never") return PrependScheme::kNever;
    throw FormatError(
        fmt::format("{}: prepend_scheme \"{:.100}\" is none of always, first, never", where, name));
}

}  // namespace

MetaspaceOptions read_metaspace(const Json& config, std::string_view where) {
    MetaspaceOptions options{.mark = require_string(config, "replacement", where)};
    if (options.mark.empty() || character_at(options.mark, 0).bytes != options.mark.size())
        throw FormatError(
            fmt::format("{}: replacement \"{:.100}\" is not one character", where, options.mark));
    const auto scheme = optional_string(config, "prepend_scheme", where);
    if (scheme) options.prepend = prepend_scheme(*scheme, where);
    if (optional_bool(config, "add_prefix_space", where) == false) {
        if (scheme && options.prepend != PrependScheme::kNever) {
            throw FormatError(
                fmt::format("{}: add_prefix_space false contradicts prepend_scheme \"{}\"", where, *scheme));
        }
        options.prepend = PrependScheme::kNever;
    }
    options.splits = optional_bool(config, "split", where).value_or(true);
    return options;
}

}  // namespace assay
