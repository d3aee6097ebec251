// Characters that Unicode 15 to 16 gave to a category, for libraries whose tables end at Unicode 14.
#pragma once

#include <string>
#include <string_view>

namespace assay {

// Is `code` an addition to `property`: a general category (`Lu`, or `L` for all of its kind), a script or
// `Alphabetic`?
bool is_unicode_addition(std::string_view property, char32_t code);

// The additions as the inside of a PCRE2 character class: `\x{1C89}-\x{1C8A}…`, empty for none.
std::string unicode_additions_class(std::string_view property);

}  // namespace assay
