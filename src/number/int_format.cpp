#include "number/int_format.h"

#include "base/error.h"

namespace assay {

std::optional<IntFormat> parse_int_format(FormatText& text) {
    if (!text.take("int")) return std::nullopt;
    const std::int64_t bits = text.take_positive();
    if (bits < 2 || bits > 8) text.reject("after 'int' the bits from 2 to 8 are expected");
    IntFormat format{.bits = static_cast<int>(bits)};
    format.symmetric = text.take("-sym");
    format.tile = take_tile(
        text, format.symmetric ? "" : "after the bits '-sym' (or nothing for asymmetric) and then ");
    format.scale = take_scale(text, ScaleType::kF16);
    return format;
}

std::string to_string(const IntFormat& format) {
    check_format(format);
    return "int" + std::to_string(format.bits) + (format.symmetric ? "-sym" : "") + to_string(format.tile) +
           (format.scale == ScaleType::kF16 ? "" : "(scale=" + to_string(format.scale) + ")");
}

void check_format(const IntFormat& format) {
    if (format.bits < 2 || format.bits > 8) {
        throw InvalidArgument("integer formats have 2 to 8 bits, not " + std::to_string(format.bits));
    }
    check_tile(format.tile);
}

GroupLayout group_layout(const IntFormat& format, std::int64_t out, std::int64_t in) {
    check_format(format);
    return layout_of(format.tile, out, in);
}

FormatSize storage_size(const IntFormat& format, std::int64_t out, std::int64_t in) {
    check_format(format);
    return size_of(
        format.tile,
        {.code = format.bits, .scale = bits_of(format.scale), .zero = format.symmetric ? 0 : format.bits},
        out, in);
}

}  // namespace assay
