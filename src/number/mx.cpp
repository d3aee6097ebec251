#include "number/mx.h"

#include <algorithm>
#include <cmath>

#include "tensor/float8.h"

namespace assay {
namespace {

constexpr Tile kTile = group_tile(32);

float scale_of(float largest, FloatElement element) {
    if (largest == 0) return f8e8m0_to_f32(0);
    const int exponent = std::ilogb(largest) - std::ilogb(largest_value(element));
    return f8e8m0_to_f32(static_cast<std::uint8_t>(std::clamp(exponent + 127, 0, 254)));
}

FloatScheme scheme_of(MatrixView<const float> w, const MxFormat& format) {
    return {.element = format.element,
            .layout = layout_of(kTile, w.rows(), w.cols()),
            .scale = [element = format.element](float largest) { return scale_of(largest, element); }};
}

}  // namespace

std::optional<MxFormat> parse_mx_format(FormatText& text) {
    if (!text.take("mx")) return std::nullopt;
    MxFormat format;
    if (text.take("fp8-e4m3")) {
        format.element = FloatElement::kE4m3;
    } else if (text.take("fp8-e5m2")) {
        format.element = FloatElement::kE5m2;
    } else if (!text.take("fp4")) {
        text.reject("of the MX formats mxfp4, mxfp8-e4m3 and mxfp8-e5m2 are known");
    }
    if (!text.at_end()) text.reject("MX formats have groups of 32 and E8M0 scales: nothing more is expected");
    return format;
}

std::string to_string(const MxFormat& format) {
    if (format.element == FloatElement::kE2m1) return "mxfp4";
    return format.element == FloatElement::kE4m3 ? "mxfp8-e4m3" : "mxfp8-e5m2";
}

GroupLayout group_layout(const MxFormat&, std::int64_t out, std::int64_t in) {
    return layout_of(kTile, out, in);
}

FormatSize storage_size(const MxFormat& format, std::int64_t out, std::int64_t in) {
    return size_of(kTile, {.code = bits_of(format.element), .scale = 8}, out, in);
}

FloatEncoding encode_mx(MatrixView<const float> w, const MxFormat& format, ThreadPool& pool) {
    return encode_float(w, scheme_of(w, format), pool);
}

void decode_mx(const FloatEncoding& encoding, const MxFormat& format, MatrixView<float> out,
               ThreadPool& pool) {
    decode_float(encoding, format.element, layout_of(kTile, out.rows(), out.cols()), out, pool);
}

void round_to_nearest(MatrixView<const float> w, const MxFormat& format, MatrixView<float> out,
                      ThreadPool& pool) {
    round_float(w, scheme_of(w, format), out, pool);
}

}  // namespace assay
