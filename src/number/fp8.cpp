#include "number/fp8.h"

#include "base/error.h"

namespace assay {
namespace {

FloatScheme scheme_of(MatrixView<const float> w, const Fp8Format& format) {
    return {.element = format.element,
            .layout = group_layout(format, w.rows(), w.cols()),
            .scale = [type = format.scale, top = largest_value(format.element)](float largest) {
                return largest == 0 ? 0.0f : stored_scale(largest / top, type);
            }};
}

}  // namespace

std::optional<Fp8Format> parse_fp8_format(FormatText& text) {
    if (!text.take("fp8")) return std::nullopt;
    Fp8Format format;
    if (text.take("-e5m2")) {
        format.element = FloatElement::kE5m2;
    } else if (!text.take("-e4m3")) {
        text.reject("after 'fp8' '-e4m3' or '-e5m2' is expected");
    }
    if (!text.at_end() && !text.starts_with("(")) format.tile = take_tile(text);
    format.scale = take_scale(text, ScaleType::kBf16);
    return format;
}

std::string to_string(const Fp8Format& format) {
    check_format(format);
    return std::string("fp8-") + (format.element == FloatElement::kE4m3 ? "e4m3" : "e5m2") +
           (format.tile == kChannelTile ? "" : to_string(format.tile)) +
           (format.scale == ScaleType::kBf16 ? "" : "(scale=" + to_string(format.scale) + ")");
}

void check_format(const Fp8Format& format) {
    if (format.element == FloatElement::kE2m1)
        throw InvalidArgument("fp8 formats are E4M3 or E5M2, not E2M1");
    check_tile(format.tile);
}

GroupLayout group_layout(const Fp8Format& format, std::int64_t out, std::int64_t in) {
    check_format(format);
    return layout_of(format.tile, out, in);
}

FormatSize storage_size(const Fp8Format& format, std::int64_t out, std::int64_t in) {
    check_format(format);
    return size_of(format.tile, {.code = bits_of(format.element), .scale = bits_of(format.scale)}, out, in);
}

FloatEncoding encode_fp8(MatrixView<const float> w, const Fp8Format& format, ThreadPool& pool) {
    return encode_float(w, scheme_of(w, format), pool);
}

void decode_fp8(const FloatEncoding& encoding, const Fp8Format& format, MatrixView<float> out,
                ThreadPool& pool) {
    decode_float(encoding, format.element, group_layout(format, out.rows(), out.cols()), out, pool);
}

void round_to_nearest(MatrixView<const float> w, const Fp8Format& format, MatrixView<float> out,
                      ThreadPool& pool) {
    round_float(w, scheme_of(w, format), out, pool);
}

}  // namespace assay
