#include "text/byte_level.h"

#include <array>

#include "text/unicode.h"

namespace assay {
namespace {

constexpr std::size_t kAlphabetEnd = 0x100 + 68;

constexpr bool is_printable(int byte) {
    return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

constexpr std::array<char32_t, 256> make_characters() {
    std::array<char32_t, 256> characters{};
    char32_t next = 0x100;
    for (int byte = 0; byte < 256; ++byte)
        characters[byte] = is_printable(byte) ? static_cast<char32_t>(byte) : next++;
    return characters;
}

// Byte of each character, -1 for those outside of the alphabet.
constexpr std::array<int, kAlphabetEnd> make_bytes() {
    std::array<int, kAlphabetEnd> bytes{};
    for (int& byte : bytes) byte = -1;
    const auto characters = make_characters();
    for (int byte = 0; byte < 256; ++byte) bytes[characters[byte]] = byte;
    return bytes;
}

constexpr auto kCharacters = make_characters();
constexpr auto kBytes = make_bytes();

}  // namespace

std::string bytes_to_characters(std::string_view bytes) {
    std::string out;
    out.reserve(bytes.size() + bytes.size() / 4);
    for (const char byte : bytes) append_utf8(out, kCharacters[static_cast<unsigned char>(byte)]);
    return out;
}

std::string characters_to_bytes(std::string_view token) {
    std::string out;
    for (std::size_t offset = 0; offset < token.size();) {
        const Character c = character_at(token, offset);
        if (c.code >= kAlphabetEnd || kBytes[c.code] < 0) return std::string(token);
        out += static_cast<char>(kBytes[c.code]);
        offset += c.bytes;
    }
    return out;
}

}  // namespace assay
