// NVIDIA's 4-bit float number format: nvfp4.
#pragma once

#include <compare>
#include <optional>
#include <string>

#include "number/float_codes.h"
#include "number/format_text.h"

namespace assay {

// E2M1 codes in groups of 16 weights of a row with an E4M3 scale each, and one f32 scale for the matrix.
struct Nvfp4Format {
    auto operator<=>(const Nvfp4Format&) const = default;
};

// Reads nvfp4. None where the text does not begin so. Throws InvalidArgument for more text behind it.
std::optional<Nvfp4Format> parse_nvfp4_format(FormatText& text);

std::string to_string(const Nvfp4Format& format);

// Where the E4M3 scales lie. Throws InvalidArgument for a negative dimension.
GroupLayout group_layout(const Nvfp4Format& format, std::int64_t out, std::int64_t in);

// total = 4·out·in + 8·out·ceil(in / 16) + 32. Example: 4.5 bits a weight of a large matrix. Throws as
// group_layout.
FormatSize storage_size(const Nvfp4Format& format, std::int64_t out, std::int64_t in);

//   global = 448·6 · (1 / max |w|) of the matrix, rounded twice as PyTorch does (1 for zeros; at most the
//            largest f32); the number that compressed-tensors stores, the reciprocal of ModelOpt's
//   scale  = E4M3(global · (max |w| of the group / 6)), at least 2^-9 unless all w of the group are 0
//   code   = E2M1(w / (scale / global)), saturating; value = E2M1 · (scale / global)
// Throws: NumericError naming row and column for NaN or Inf.
// Source: compressed-tensors 0.19, generate_gparam and calculate_qparams (which, where a scale rounds to
// zero, takes 0.125 and so loses the group).
FloatEncoding encode_nvfp4(MatrixView<const float> w, const Nvfp4Format& format, ThreadPool& pool);

// Throws InvalidArgument where the encoding's shapes fit neither the format nor out.
void decode_nvfp4(const FloatEncoding& encoding, const Nvfp4Format& format, MatrixView<float> out,
                  ThreadPool& pool);

// out = decode(encode(w)), bit for bit; the two may be the same matrix; out must have the shape of w. Throws
// as encode_nvfp4.
void round_to_nearest(MatrixView<const float> w, const Nvfp4Format& format, MatrixView<float> out,
                      ThreadPool& pool);

}  // namespace assay
