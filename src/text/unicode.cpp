#include "text/unicode.h"

#include <fmt/format.h>
#include <unicode/brkiter.h>
#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/uniset.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <cstdint>
#include <memory>

#include "base/error.h"
#include "text/unicode_additions.h"

namespace assay {
namespace {

// ICU counts bytes in 32 bits, and a normal form may be some times longer than the text.
constexpr std::size_t kMaxTextBytes = std::size_t{1} << 27;

// The character at `offset`, negative where the bytes there are no UTF-8; moves `offset` past it.
UChar32 next_character(std::string_view text, std::size_t& offset) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
    const auto begin = offset;
    const auto length = static_cast<std::int32_t>(std::min<std::size_t>(text.size() - begin, U8_MAX_LENGTH));
    std::int32_t at = 0;
    UChar32 code = 0;
    U8_NEXT(bytes + begin, at, length, code);
    offset = begin + static_cast<std::size_t>(at);
    return code;
}

void check_icu(UErrorCode status) {
    if (U_FAILURE(status))
        throw Error(fmt::format("ICU failed: {}; check the installed ICU data", u_errorName(status)));
}

// The parts of valid UTF-8 between the breaks that `make` finds in no language's particular way.
void for_each_part(icu::BreakIterator* (*make)(const icu::Locale&, UErrorCode&), std::string_view text,
                   const std::function<void(std::string_view)>& found) {
    UErrorCode status = U_ZERO_ERROR;
    const std::unique_ptr<icu::BreakIterator> breaks(make(icu::Locale::getRoot(), status));
    check_icu(status);
    const std::unique_ptr<UText, decltype(&utext_close)> view(
        utext_openUTF8(nullptr, text.data(), static_cast<std::int64_t>(text.size()), &status), utext_close);
    check_icu(status);
    breaks->setText(view.get(), status);
    check_icu(status);
    std::int32_t begin = breaks->first();
    for (std::int32_t end = breaks->next(); end != icu::BreakIterator::DONE; end = breaks->next()) {
        found(text.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)));
        begin = end;
    }
}

}  // namespace

Character character_at(std::string_view text, std::size_t offset) {
    std::size_t end = offset;
    const UChar32 code = next_character(text, end);
    return {static_cast<char32_t>(code), end - offset};
}

Character character_before(std::string_view text, std::size_t offset) {
    std::size_t begin = offset - 1;
    while (begin > 0 && U8_IS_TRAIL(static_cast<std::uint8_t>(text[begin]))) --begin;
    return character_at(text, begin);
}

void append_utf8(std::string& out, char32_t code) {
    std::uint8_t bytes[U8_MAX_LENGTH];
    std::int32_t length = 0;
    U8_APPEND_UNSAFE(bytes, length, static_cast<UChar32>(code));
    out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(length));
}

bool is_utf8(std::string_view text) {
    for (std::size_t offset = 0; offset < text.size();)
        if (next_character(text, offset) < 0) return false;
    return true;
}

void require_utf8(std::string_view text, std::string_view what) {
    for (std::size_t offset = 0; offset < text.size();) {
        const std::size_t begin = offset;
        if (next_character(text, offset) < 0) {
            throw FormatError(fmt::format("{}: byte 0x{:02x} is not UTF-8; convert the text to UTF-8", what,
                                          static_cast<std::uint8_t>(text[begin])),
                              begin);
        }
    }
}

std::string replace_invalid_utf8(std::string_view bytes) {
    std::string out;
    out.reserve(bytes.size());
    for (std::size_t offset = 0; offset < bytes.size();) {
        const std::size_t begin = offset;
        if (next_character(bytes, offset) < 0) {
            append_utf8(out, U'\uFFFD');
        } else {
            out += bytes.substr(begin, offset - begin);
        }
    }
    return out;
}

bool is_numeric(char32_t code) {
    const auto mask = U_GC_ND_MASK | U_GC_NL_MASK | U_GC_NO_MASK;
    return (U_GET_GC_MASK(static_cast<UChar32>(code)) & mask) != 0 || is_unicode_addition("N", code);
}

bool is_whitespace(char32_t code) {
    return u_isUWhiteSpace(static_cast<UChar32>(code));
}

bool is_word_character(char32_t code) {
    const auto c = static_cast<UChar32>(code);
    const auto mask = U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK;
    if (u_isUAlphabetic(c) || (U_GET_GC_MASK(c) & mask) != 0 || u_hasBinaryProperty(c, UCHAR_JOIN_CONTROL))
        return true;
    constexpr std::string_view kProperties[] = {"Alphabetic", "M", "Nd", "Pc"};
    return std::ranges::any_of(kProperties,
                               [code](std::string_view p) { return is_unicode_addition(p, code); });
}

bool is_combining_mark(char32_t code) {
    const auto c = static_cast<UChar32>(code);
    if (c == 0x1CF2 || c == 0x1CF3) return true;  // letters since Unicode 12
    if (c == 0x111C9) return false;               // a mark since Unicode 11
    UVersionInfo age = {};
    u_charAge(c, age);
    return (U_GET_GC_MASK(c) & U_GC_M_MASK) != 0 && age[0] <= 9;
}

void for_each_grapheme(std::string_view text, const std::function<void(std::string_view)>& found) {
    for_each_part(icu::BreakIterator::createCharacterInstance, text, found);
}

void for_each_sentence(std::string_view text, const std::function<void(std::string_view)>& found) {
    for_each_part(icu::BreakIterator::createSentenceInstance, text, found);
}

std::string_view stripped(std::string_view text) {
    while (!text.empty() && is_whitespace(character_at(text, 0).code))
        text.remove_prefix(character_at(text, 0).bytes);
    return stripped_behind(text);
}

std::string_view stripped_behind(std::string_view text) {
    while (!text.empty() && is_whitespace(character_before(text, text.size()).code))
        text.remove_suffix(character_before(text, text.size()).bytes);
    return text;
}

std::string lowercase(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t offset = 0; offset < text.size();) {
        const Character c = character_at(text, offset);
        append_utf8(out, static_cast<char32_t>(u_tolower(static_cast<UChar32>(c.code))));
        if (c.code == U'\u0130')
            append_utf8(out, U'\u0307');  // the only one whose full lower case is two characters
        offset += c.bytes;
    }
    return out;
}

std::string capitalized(std::string_view text) {
    if (text.empty()) return "";
    const Character first = character_at(text, 0);
    std::string out;
    append_utf8(out, static_cast<char32_t>(u_totitle(static_cast<UChar32>(first.code))));
    return out + lowercase(text.substr(first.bytes));
}

std::function<std::string(std::string_view)> unicode_normalizer(NormalForm form) {
    UErrorCode status = U_ZERO_ERROR;
    const icu::Normalizer2* rules = nullptr;
    switch (form) {
        case NormalForm::kNfc:
            rules = icu::Normalizer2::getNFCInstance(status);
            break;
        case NormalForm::kNfd:
            rules = icu::Normalizer2::getNFDInstance(status);
            break;
        case NormalForm::kNfkc:
            rules = icu::Normalizer2::getNFKCInstance(status);
            break;
        case NormalForm::kNfkd:
            rules = icu::Normalizer2::getNFKDInstance(status);
            break;
    }
    check_icu(status);
    auto known = std::make_shared<icu::UnicodeSet>(u"[:age=9.0:]", status);
    check_icu(status);
    known->freeze();
    return [rules, known](std::string_view text) {
        if (text.size() > kMaxTextBytes) {
            throw FormatError(fmt::format("a text of {} bytes is too long to normalize at once (limit {})",
                                          text.size(), kMaxTextBytes));
        }
        const icu::FilteredNormalizer2 filtered(*rules, *known);
        std::string out;
        icu::StringByteSink<std::string> sink(&out);
        UErrorCode failed = U_ZERO_ERROR;
        filtered.normalizeUTF8(0, {text.data(), static_cast<std::int32_t>(text.size())}, sink, nullptr,
                               failed);
        check_icu(failed);
        return out;
    };
}

}  // namespace assay
