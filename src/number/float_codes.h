// Small floats with a scale a group: what the families fp8, mx and nvfp4 share.
#pragma once

#include <cstdint>
#include <functional>

#include "base/parallel.h"
#include "number/tile.h"
#include "tensor/matrix.h"

namespace assay {

// What one code is: E2M1 has 4 bits and reaches 6, E4M3 (without infinities) 448, E5M2 57344.
enum class FloatElement : std::uint8_t { kE2m1, kE4m3, kE5m2 };

int bits_of(FloatElement element);
float largest_value(FloatElement element);

// One matrix as small floats: value = element(code) · (scale / global_scale), in float32.
struct FloatEncoding {
    Matrix<std::uint8_t> codes;  // [out, in], one code a byte, the sign in the element's highest bit
    Matrix<float> scales;        // [rows, per_row] of the layout; each exactly a number of the stored type
    float global_scale = 1;      // one for the matrix; 1 where the format has none
};

// How a matrix is encoded.
struct FloatScheme {
    FloatElement element = FloatElement::kE4m3;
    GroupLayout layout;
    // The scale to store, finite and not negative, for the largest magnitude of a group; 0 only for 0.
    std::function<float(float)> scale;
    float global_scale = 1;
};

// Round to nearest in the element type, ties to even, saturating:
//   code = element(clamp(w / (scale / global_scale), -largest, largest))
// A group with scale 0 has the codes 0 and -0.
// Shape: w [out, in], the layout's matrix.
// Accuracy: float32, real division; the same bits for any number of threads.
// Throws: NumericError naming row and column for NaN, Inf, or a group whose largest value overflows f32.
FloatEncoding encode_float(MatrixView<const float> w, const FloatScheme& scheme, ThreadPool& pool);

// out = element(code) · (scale / global_scale). Throws InvalidArgument where the shapes do not fit.
void decode_float(const FloatEncoding& encoding, FloatElement element, const GroupLayout& layout,
                  MatrixView<float> out, ThreadPool& pool);

// out = decode(encode(w)), bit for bit, without keeping the codes; the two may be the same matrix. Throws as
// encode_float.
void round_float(MatrixView<const float> w, const FloatScheme& scheme, MatrixView<float> out,
                 ThreadPool& pool);

}  // namespace assay
