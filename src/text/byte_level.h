// The byte-level alphabet of GPT-2: every byte is a printable character.
#pragma once

#include <string>
#include <string_view>

namespace assay {

// Each byte as its character: 21-7E, A1-AC, AE-FF stand for themselves, the other 68 are U+0100, U+0101, … in
// order. Source: Radford et al. 2019, encoder.py, bytes_to_unicode.
std::string bytes_to_characters(std::string_view bytes);

// The bytes of a token's characters; a token with a character outside of the alphabet stands for its own
// UTF-8.
std::string characters_to_bytes(std::string_view token);

}  // namespace assay
