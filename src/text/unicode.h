// Characters: UTF-8 checking and decoding, character classes, case and normal forms.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace assay {

// A character of a text and how many bytes its UTF-8 takes.
struct Character {
    char32_t code = 0;
    std::size_t bytes = 0;
};

// The character that begins at byte `offset` < text.size(); `text` must be valid UTF-8.
Character character_at(std::string_view text, std::size_t offset);

// The character that ends at byte `offset` > 0; `text` must be valid UTF-8.
Character character_before(std::string_view text, std::size_t offset);

void append_utf8(std::string& out, char32_t code);

// Throws FormatError naming `what` and the offset of the first byte that is not UTF-8.
void require_utf8(std::string_view text, std::string_view what);

bool is_utf8(std::string_view text);

// Bytes as text: each maximal invalid part becomes U+FFFD (Unicode 15, section 3.9, "best practice").
std::string replace_invalid_utf8(std::string_view bytes);

// General categories Nd, Nl, No.
bool is_numeric(char32_t code);
// The property White_Space.
bool is_whitespace(char32_t code);
// A character of words as Unicode TR18 defines them: alphabetic, mark, decimal digit, connector or join
// control.
bool is_word_character(char32_t code);

// General categories Mn, Mc, Me by Unicode 9.0, which is what the `tokenizers` library has.
bool is_combining_mark(char32_t code);

// Calls found(part) for each extended grapheme cluster (Unicode TR29) of valid UTF-8, in order.
void for_each_grapheme(std::string_view text, const std::function<void(std::string_view)>& found);

// The same for each sentence, with the white space behind it; a line end ends one.
void for_each_sentence(std::string_view text, const std::function<void(std::string_view)>& found);

// Without the white space at both ends of valid UTF-8, or at its end only.
std::string_view stripped(std::string_view text);
std::string_view stripped_behind(std::string_view text);

// Each character's full lower case by itself (no context: a final sigma becomes a plain one). `text` must be
// valid UTF-8.
std::string lowercase(std::string_view text);

// lowercase(), the first character in (simple) title case: Python's str.capitalize().
std::string capitalized(std::string_view text);

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };

// Normalizes valid UTF-8 by the rules of Unicode 9.0, which is what the `tokenizers` library has: characters
// of later versions stay as they are.
std::function<std::string(std::string_view)> unicode_normalizer(NormalForm form);

}  // namespace assay
