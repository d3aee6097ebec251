// Microscaling number formats: mxfp4, mxfp8-e4m3, mxfp8-e5m2.
#pragma once

#include <compare>
#include <optional>
#include <string>

#include "number/float_codes.h"
#include "number/format_text.h"

namespace assay {

// Groups of 32 weights of a row that share an E8M0 scale, a power of two in 8 bits.
struct MxFormat {
    FloatElement element = FloatElement::kE2m1;  // mxfp4; kE4m3 and kE5m2: mxfp8

    auto operator<=>(const MxFormat&) const = default;
};

// Reads mxfp4, mxfp8-e4m3 or mxfp8-e5m2. None where the text does not begin with 'mx'. Throws InvalidArgument
// for what is wrong behind it.
std::optional<MxFormat> parse_mx_format(FormatText& text);

std::string to_string(const MxFormat& format);

// Where the scales lie. Throws InvalidArgument for a negative dimension.
GroupLayout group_layout(const MxFormat& format, std::int64_t out, std::int64_t in);

// total = (4 or 8)·out·in + 8·out·ceil(in / 32). Example: mxfp4 takes 4.25 bits a weight. Throws as
// group_layout.
FormatSize storage_size(const MxFormat& format, std::int64_t out, std::int64_t in);

// scale = 2^clamp(floor(log2(max |w|)) - e, -127, 127), e = floor(log2(the element's largest value)): 2, 8 or
// 15; 2^-127 for a group of zeros. code = element(w / scale), saturating: magnitudes of the largest binade's
// end, above 6·scale in mxfp4, become the largest value.
// All readers agree on what the codes mean, but writers choose the exponent differently: this is the rule of
// the OCP specification and of ggml; compressed-tensors takes the next exponent from 1.75·2^n on, ModelOpt as
// soon as something would saturate.
// Throws: NumericError naming row and column for NaN or Inf.
// Source: OCP Microscaling Formats 1.0, section 6.3.
FloatEncoding encode_mx(MatrixView<const float> w, const MxFormat& format, ThreadPool& pool);

// Throws InvalidArgument where the encoding's shapes fit neither the format nor out.
void decode_mx(const FloatEncoding& encoding, const MxFormat& format, MatrixView<float> out,
               ThreadPool& pool);

// out = decode(encode(w)), bit for bit; the two may be the same matrix; out must have the shape of w. Throws
// as encode_mx.
void round_to_nearest(MatrixView<const float> w, const MxFormat& format, MatrixView<float> out,
                      ThreadPool& pool);

}  // namespace assay
