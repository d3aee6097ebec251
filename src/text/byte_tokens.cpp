#include "text/byte_tokens.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace assay {

std::string byte_token(std::uint8_t byte) {
    return fmt::format("<0x{:02X}>", byte);
}

std::optional<std::uint8_t> byte_of_token(std::string_view text) {
    if (text.size() != 6 || !text.starts_with("<0x") || !text.ends_with('>')) return std::nullopt;
    std::uint8_t byte = 0;
    const char* end = text.data() + 5;
    const auto [stop, error] = std::from_chars(text.data() + 3, end, byte, 16);
    return error == std::errc() && stop == end ? std::optional(byte) : std::nullopt;
}

ByteTokens::ByteTokens(const Vocabulary& vocabulary) {
    for (std::size_t byte = 0; byte < ids_.size(); ++byte)
        ids_[byte] = vocabulary.id_of(byte_token(static_cast<std::uint8_t>(byte)));
}

bool ByteTokens::append(std::string_view text, std::vector<std::int32_t>& ids) const {
    const auto id_of = [this](char byte) { return ids_[static_cast<unsigned char>(byte)]; };
    if (!std::all_of(text.begin(), text.end(), [&](char byte) { return id_of(byte).has_value(); }))
        return false;
    for (const char byte : text) ids.push_back(*id_of(byte));
    return true;
}

}  // namespace assay
