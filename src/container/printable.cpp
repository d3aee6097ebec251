#include "container/printable.h"

#include <fmt/format.h>

#include <algorithm>

namespace assay {
namespace {

// Bytes of the UTF-8 character at the front of `text`, which is not empty; 0 where there is none (RFC 3629).
std::size_t character_bytes(std::string_view text) {
    const auto byte = [&](std::size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
    };
    const unsigned first = byte(0);
    if (first < 0x80) return 1;
    if (first < 0xc2 || first > 0xf4) return 0;
    const unsigned least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    const unsigned most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (byte(1) < least || byte(1) > most) return 0;
    const std::size_t count = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    for (std::size_t i = 2; i < count; ++i) {
        if (byte(i) < 0x80 || byte(i) > 0xbf) return 0;
    }
    return count;
}

}  // namespace

std::string printable(std::string_view text) {
    constexpr std::size_t kMaxBytes = 200;
    std::string line;
    std::string_view rest = text;
    while (!rest.empty()) {
        const std::size_t count = character_bytes(rest);
        if (text.size() - rest.size() + std::max<std::size_t>(count, 1) > kMaxBytes) return line + "...";
        const auto byte = static_cast<unsigned char>(rest.front());
        if (count == 0 || byte < 0x20 || byte == 0x7f) {
            line += fmt::format("\\x{:02x}", byte);
            rest.remove_prefix(1);
        } else {
            line += rest.substr(0, count);
            rest.remove_prefix(count);
        }
    }
    return line;
}

}  // namespace assay
