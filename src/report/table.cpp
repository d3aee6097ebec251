// Laying out tables for terminals.
#include "report/table.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/error.h"
#include "report/format.h"

namespace assay {
namespace {

struct CodeRange {
    std::uint32_t first, last;
};

// The blocks of Unicode whose characters take no column, and those that take two (Unicode 15, EastAsianWidth
// W and F, by block).
constexpr std::array<CodeRange, 6> kCombining = {{{0x0300, 0x036f},
                                                  {0x1ab0, 0x1aff},
                                                  {0x1dc0, 0x1dff},
                                                  {0x200b, 0x200f},
                                                  {0x20d0, 0x20ff},
                                                  {0xfe00, 0xfe0f}}};
constexpr std::array<CodeRange, 9> kWide = {{{0x1100, 0x115f},
                                             {0x2e80, 0x303e},
                                             {0x3041, 0xa4cf},
                                             {0xac00, 0xd7a3},
                                             {0xf900, 0xfaff},
                                             {0xfe30, 0xfe6f},
                                             {0xff00, 0xff60},
                                             {0x1f300, 0x1faff},
                                             {0x20000, 0x3fffd}}};

template <std::size_t N>
bool is_in(const std::array<CodeRange, N>& ranges, std::uint32_t code) {
    return std::any_of(ranges.begin(), ranges.end(),
                       [&](const CodeRange& range) { return range.first <= code && code <= range.last; });
}

// Removes the first character of well-formed UTF-8 and returns its code.
std::uint32_t take_code(std::string_view& text) {
    const auto lead = static_cast<unsigned char>(text[0]);
    const std::size_t length = std::min<std::size_t>(lead < 0x80   ? 1
                                                     : lead < 0xe0 ? 2
                                                     : lead < 0xf0 ? 3
                                                                   : 4,
                                                     text.size());
    std::uint32_t code = length == 1 ? lead : lead & (0x7fu >> length);
    for (std::size_t i = 1; i < length; ++i) code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3fu);
    text.remove_prefix(length);
    return code;
}

std::string padded(const std::string& cell, std::size_t width, Table::Align align) {
    const std::string blanks(width - display_width(cell), ' ');
    return align == Table::Align::kLeft ? cell + blanks : blanks + cell;
}

}  // namespace

std::size_t display_width(std::string_view text) {
    std::size_t width = 0;
    while (!text.empty()) {
        const std::uint32_t code = take_code(text);
        width += is_in(kCombining, code) ? 0 : is_in(kWide, code) ? 2 : 1;
    }
    return width;
}

void Table::add_row(std::vector<std::string> cells) {
    if (cells.size() != columns_.size())
        throw InvalidArgument("a table of " + std::to_string(columns_.size()) + " columns got a row of " +
                              std::to_string(cells.size()) + " cells");
    for (std::string& cell : cells) cell = safe_text(cell);
    rows_.push_back(std::move(cells));
}

std::string Table::text() const {
    std::vector<std::size_t> widths;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
        widths.push_back(display_width(columns_[c].header));
        for (const auto& row : rows_) widths[c] = std::max(widths[c], display_width(row[c]));
    }
    std::string text;
    const auto add_line = [&](const auto& cell) {
        std::string line;
        for (std::size_t c = 0; c < columns_.size(); ++c)
            line += (c ? "  " : "") + padded(cell(c), widths[c], columns_[c].align);
        text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    };
    add_line([&](std::size_t c) { return columns_[c].header; });
    std::string rule;
    for (std::size_t c = 0; c < columns_.size(); ++c)
        for (std::size_t i = 0; i < widths[c] + (c ? 2 : 0); ++i) rule += "─";
    text += rule + "\n";
    for (const auto& row : rows_) add_line([&](std::size_t c) { return row[c]; });
    return text;
}

}  // namespace assay
