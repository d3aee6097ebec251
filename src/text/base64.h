// Base64 (RFC 4648, section 4).
#pragma once

#include <string>
#include <string_view>

namespace assay {

// The bytes of `text`. Throws FormatError, naming `where`, for other characters than the alphabet's, padding
// that is missing or wrong, and bits that would be lost.
std::string base64_decode(std::string_view text, std::string_view where);

}  // namespace assay
