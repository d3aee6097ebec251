#include "text/base64.h"

#include <fmt/format.h>

#include <cstdint>

#include "base/error.h"

namespace assay {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string base64_decode(std::string_view text, std::string_view where) {
    const auto fail = [&](std::size_t offset) {
        throw FormatError(fmt::format("{}: not base64", where), offset);
    };
    if (text.size() % 4 != 0) fail(text.size());
    std::size_t padding = 0;
    while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
    std::string bytes;
    bytes.reserve(text.size() / 4 * 3);
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (std::size_t at = 0; at < text.size() - padding; ++at) {
        const std::size_t digit = kAlphabet.find(text[at]);
        if (digit == kAlphabet.npos) fail(at);
        bits = bits << 6 | static_cast<std::uint32_t>(digit);
        count += 6;
        if (count >= 8) bytes += static_cast<char>(bits >> (count -= 8) & 0xFF);
    }
    if ((bits & ((1u << count) - 1)) != 0) fail(text.size() - padding);
    return bytes;
}

}  // namespace assay
