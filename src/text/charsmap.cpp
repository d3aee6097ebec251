#include "text/charsmap.h"

#include <fmt/format.h>

#include "base/byte_reader.h"
#include "text/unicode.h"

namespace assay {
namespace {

// A unit of a double array: an inner one has a label and the way to its children, a leaf has a value.
bool has_leaf(std::uint32_t unit) {
    return (unit >> 8 & 1) != 0;
}
std::uint32_t value(std::uint32_t unit) {
    return unit & 0x7FFF'FFFF;
}
std::uint32_t label(std::uint32_t unit) {
    return unit & 0x8000'00FF;
}
std::uint32_t offset(std::uint32_t unit) {
    return unit >> 10 << ((unit & 0x200) >> 6);
}

}  // namespace

Charsmap::Charsmap(std::string_view blob, std::string_view where) : where_(where) {
    if (blob.empty()) return;
    ByteReader reader(std::as_bytes(std::span(blob)), where_);
    const auto bytes = reader.read<std::uint32_t>();
    if (bytes == 0 || bytes % 4 != 0 || bytes > reader.remaining())
        fail(fmt::format("its double array has {} bytes", bytes));
    units_.resize(bytes / 4);
    for (std::uint32_t& u : units_) u = reader.read<std::uint32_t>();
    replacements_ = reader.take_text(reader.remaining());
    require_utf8(replacements_, where_);
}

void Charsmap::fail(std::string_view reason) const {
    throw FormatError(fmt::format("{}: broken normalization rules: {}", where_, reason));
}

std::uint32_t Charsmap::unit(std::size_t index) const {
    if (index >= units_.size()) fail("the double array leads out of its bounds");
    return units_[index];
}

std::string_view Charsmap::replacement(std::size_t offset) const {
    if (offset >= replacements_.size()) fail("a replacement lies outside");
    if ((static_cast<unsigned char>(replacements_[offset]) & 0xC0) == 0x80)
        fail("a replacement begins inside of a character");
    const std::string_view rest = std::string_view(replacements_).substr(offset);
    return rest.substr(0, rest.find('\0'));
}

std::optional<Charsmap::Match> Charsmap::find(std::string_view text, bool stops_at_first) const {
    std::optional<Match> found;
    if (units_.empty()) return found;
    std::uint32_t node = offset(unit(0));
    for (std::size_t at = 0; at < text.size() && text[at] != '\0'; ++at) {
        const auto byte = static_cast<unsigned char>(text[at]);
        node ^= byte;
        const std::uint32_t here = unit(node);
        if (label(here) != byte) break;
        node ^= offset(here);
        if (!has_leaf(here)) continue;
        found = Match{.bytes = at + 1, .replacement = replacement(value(unit(node)))};
        if (stops_at_first) break;
    }
    return found;
}

}  // namespace assay
