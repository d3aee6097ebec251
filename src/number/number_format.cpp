#include "number/number_format.h"

#include <algorithm>
#include <charconv>

#include "base/checked.h"
#include "base/error.h"

namespace assay {
namespace {

[[noreturn]] void reject(std::string_view text, std::string_view expected) {
    throw InvalidArgument("number format '" + std::string(text) + "': " + std::string(expected) +
                          "; valid are for example int4-g128, int4-sym-g64, int8-channel, int3-sym-tensor, "
                          "int4-g64(scale=f32)");
}

// Removes `word` from the front of `rest` if it stands there.
bool take(std::string_view& rest, std::string_view word) {
    if (!rest.starts_with(word)) return false;
    rest.remove_prefix(word.size());
    return true;
}

// Removes a positive decimal number without sign or leading zeros; 0 where there is none or it does not fit.
std::int64_t take_positive(std::string_view& rest) {
    if (rest.empty() || rest.front() < '1' || rest.front() > '9') return 0;
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (error != std::errc{}) return 0;
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    return value;
}

void take_granularity(std::string_view text, std::string_view& rest, NumberFormat& format) {
    format.group_size = 0;
    if (take(rest, "-channel")) {
        format.granularity = Granularity::kChannel;
    } else if (take(rest, "-tensor")) {
        format.granularity = Granularity::kTensor;
    } else if (take(rest, "-g")) {
        format.group_size = take_positive(rest);
        if (format.group_size == 0)
            reject(text, "after 'g' the group size is expected, a positive number of columns");
    } else {
        reject(
            text,
            "after the bits '-sym' (or nothing for asymmetric) and then '-g' and the group size, '-channel' "
            "or '-tensor' are expected");
    }
}

void take_scale(std::string_view text, std::string_view& rest, NumberFormat& format) {
    if (rest.empty() || rest == "(scale=f16)") return;
    if (rest != "(scale=f32)") reject(text, "the only option is (scale=f16) or (scale=f32), at the end");
    format.scale = ScaleType::kF32;
}

}  // namespace

NumberFormat parse_number_format(std::string_view text) {
    std::string_view rest = text;
    NumberFormat format;
    const std::int64_t bits = take(rest, "int") ? take_positive(rest) : 0;
    if (bits < 2 || bits > 8) reject(text, "'int' and the bits from 2 to 8 are expected first");
    format.bits = static_cast<int>(bits);
    format.symmetric = take(rest, "-sym");
    take_granularity(text, rest, format);
    take_scale(text, rest, format);
    return format;
}

std::string to_string(const NumberFormat& format) {
    check_number_format(format);
    std::string text = "int" + std::to_string(format.bits) + (format.symmetric ? "-sym" : "");
    switch (format.granularity) {
        case Granularity::kGroup:
            text += "-g" + std::to_string(format.group_size);
            break;
        case Granularity::kChannel:
            text += "-channel";
            break;
        case Granularity::kTensor:
            text += "-tensor";
            break;
    }
    return text + (format.scale == ScaleType::kF32 ? "(scale=f32)" : "");
}

void check_number_format(const NumberFormat& format) {
    if (format.bits < 2 || format.bits > 8) {
        throw InvalidArgument("integer formats have 2 to 8 bits, not " + std::to_string(format.bits));
    }
    const bool grouped = format.granularity == Granularity::kGroup;
    if (grouped ? format.group_size < 1 : format.group_size != 0) {
        throw InvalidArgument(
            "group size " + std::to_string(format.group_size) +
            (grouped ? " is not positive" : " given, but the format has no groups: set it to 0"));
    }
}

GroupLayout group_layout(const NumberFormat& format, std::int64_t out, std::int64_t in) {
    check_number_format(format);
    if (out < 0 || in < 0) {
        throw InvalidArgument("matrix dimensions [" + std::to_string(out) + ", " + std::to_string(in) +
                              "] are negative");
    }
    if (out == 0 || in == 0) return {};
    switch (format.granularity) {
        case Granularity::kGroup:
            return {out, ceil_div(in, format.group_size), std::min(in, format.group_size)};
        case Granularity::kChannel:
            return {out, 1, in};
        case Granularity::kTensor:
            break;
    }
    return {1, 1, in};
}

double FormatSize::effective_bits() const {
    return elements == 0 ? 0.0 : static_cast<double>(total_bits()) / static_cast<double>(elements);
}

FormatSize storage_size(const NumberFormat& format, std::int64_t out, std::int64_t in) {
    const GroupLayout layout = group_layout(format, out, in);
    const std::int64_t scales = layout.rows * layout.per_row;
    const std::int64_t elements = layout.columns == 0 ? 0 : out * in;
    return {.elements = elements,
            .code_bits = elements * format.bits,
            .scale_bits = scales * (format.scale == ScaleType::kF16 ? 16 : 32),
            .zero_bits = format.symmetric ? 0 : scales * format.bits};
}

}  // namespace assay
