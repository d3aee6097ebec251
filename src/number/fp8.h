// FP8 number formats: fp8-e4m3, fp8-e4m3-tensor, fp8-e4m3-b128x128(scale=f32), fp8-e5m2.
#pragma once

#include <compare>
#include <optional>
#include <string>

#include "number/float_codes.h"
#include "number/format_text.h"

namespace assay {

// 8-bit floats with symmetric scales. Without further words one bf16 scale an output row: what llm-compressor
// writes for the weights of its scheme FP8_DYNAMIC. DeepSeek's files are fp8-e4m3-b128x128(scale=f32).
struct Fp8Format {
    FloatElement element = FloatElement::kE4m3;  // or kE5m2
    Tile tile = kChannelTile;
    ScaleType scale = ScaleType::kBf16;

    auto operator<=>(const Fp8Format&) const = default;
};

// Reads fp8-(e4m3|e5m2)[-(gN|bRxC|channel|tensor)][(scale=f16|bf16|f32)]. None where the text does not begin
// with 'fp8'. Throws InvalidArgument for what is wrong behind it.
std::optional<Fp8Format> parse_fp8_format(FormatText& text);

// The one canonical text, without what is usual: fp8-e4m3, not fp8-e4m3-channel(scale=bf16). Throws
// InvalidArgument as check_format.
std::string to_string(const Fp8Format& format);

// Throws InvalidArgument for another element or an impossible tile.
void check_format(const Fp8Format& format);

// Where the scales lie. Throws InvalidArgument as check_format, and for a negative dimension.
GroupLayout group_layout(const Fp8Format& format, std::int64_t out, std::int64_t in);

// total = 8·out·in + scales·(scale bits). Throws as group_layout.
FormatSize storage_size(const Fp8Format& format, std::int64_t out, std::int64_t in);

// scale = max |w| / 448 (E5M2: / 57344) of the tile, rounded to its type before it is used, never to zero
// unless all w are 0; code = element(w / scale), saturating.
// Throws: NumericError naming row and column for NaN, Inf or a scale that overflows its type; InvalidArgument
// for an impossible format.
// Source: compressed-tensors 0.19, calculate_qparams and quantize, on float32 weights. (On bfloat16 weights
// and without a GPU it rounds the quotient to bfloat16 first, so that 3 % of its codes are the second
// nearest.)
FloatEncoding encode_fp8(MatrixView<const float> w, const Fp8Format& format, ThreadPool& pool);

// Throws InvalidArgument where the encoding's shapes fit neither the format nor out.
void decode_fp8(const FloatEncoding& encoding, const Fp8Format& format, MatrixView<float> out,
                ThreadPool& pool);

// out = decode(encode(w)), bit for bit; the two may be the same matrix; out must have the shape of w. Throws
// as encode_fp8.
void round_to_nearest(MatrixView<const float> w, const Fp8Format& format, MatrixView<float> out,
                      ThreadPool& pool);

}  // namespace assay
