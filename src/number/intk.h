// Integer codes: a matrix encoded in a number format, and back.
#pragma once

#include <cstdint>

#include "base/parallel.h"
#include "number/int_format.h"
#include "tensor/matrix.h"

namespace assay {

// One matrix as integers: value = (code - zero) · scale.
struct IntEncoding {
    Matrix<std::uint8_t> codes;  // [out, in], each 0 to 2^bits - 1; symmetric formats: q + 2^(bits-1)
    Matrix<float> scales;        // [rows, per_row] of group_layout; each exactly a number of the scale's type
    Matrix<std::uint8_t> zeros;  // as scales; empty for symmetric formats, whose zero is 2^(bits-1)
};

// Round to nearest on the grid of int_grid.
//   asymmetric: q = clamp(round(w / s) + z, 0, 2^b - 1)
//   symmetric:  q = clamp(round(w / s), -2^(b-1), 2^(b-1) - 1), stored as q + 2^(b-1)
// Shape: w [out, in].
// Accuracy: float32, real division, round half to even: with scale=f32 equal, bit for bit, to the formulas in
// PyTorch (constant groups apart: see int_grid); the same bits for any number of threads.
// Throws: NumericError naming row and column for NaN, Inf or a scale that overflows its type;
// InvalidArgument for an impossible format.
IntEncoding encode_int(MatrixView<const float> w, const IntFormat& format, ThreadPool& pool);

// out = (code - zero) · scale. Throws InvalidArgument where the encoding's shapes fit neither the format nor
// out.
void decode_int(const IntEncoding& encoding, const IntFormat& format, MatrixView<float> out,
                ThreadPool& pool);

// out = decode(encode(w)), bit for bit, without making the codes. The two may be the same matrix; out must
// have the shape of w. Throws as encode_int.
void round_to_nearest(MatrixView<const float> w, const IntFormat& format, MatrixView<float> out,
                      ThreadPool& pool);

}  // namespace assay
