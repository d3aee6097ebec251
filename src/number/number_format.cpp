#include "number/number_format.h"

#include <optional>

namespace assay {

NumberFormat parse_number_format(std::string_view text) {
    FormatText rest(text);
    if (const auto format = parse_int_format(rest)) return *format;
    if (const auto format = parse_fp8_format(rest)) return *format;
    if (const auto format = parse_mx_format(rest)) return *format;
    if (const auto format = parse_nvfp4_format(rest)) return *format;
    rest.reject("it begins with none of 'int' and the bits, 'fp8', 'mxfp4', 'mxfp8' and 'nvfp4'");
}

std::string to_string(const NumberFormat& format) {
    return std::visit([](const auto& f) { return to_string(f); }, format);
}

FormatSize storage_size(const NumberFormat& format, std::int64_t out, std::int64_t in) {
    return std::visit([&](const auto& f) { return storage_size(f, out, in); }, format);
}

bool rows_are_independent(const NumberFormat& format) {
    if (std::holds_alternative<Nvfp4Format>(format)) return false;  // one scale serves the whole matrix
    constexpr std::int64_t kRows = 2;
    return std::visit([](const auto& f) { return group_layout(f, kRows, 1).height == 1; }, format);
}

}  // namespace assay
