// A type-erased view of a stored tensor, used at file borders only.
#pragma once

#include <cstddef>
#include <span>

#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace assay {

// Bytes are row-major and may be unaligned: copy elements out, never cast the pointer.
struct TensorView {
    DType dtype = DType::kF32;
    Shape shape;
    std::span<const std::byte> bytes;
};

// Whether to_f32() reads the type: floats of 8 bits and more, integers of up to 16 bits.
bool readable_as_f32(DType type);

// Copies elements [first, first + out.size()) as f32. Exact but for f64, which is rounded to nearest, ties to
// even, and overflows to infinity.
// Throws InvalidArgument for a range outside the tensor or a type that is not readable_as_f32().
void to_f32(const TensorView& tensor, std::int64_t first, std::span<float> out);

// Rounds f32 values to `dtype` (f32, f16 or bf16; round to nearest, ties to even) into out, whose size must
// fit. Throws InvalidArgument for another element type and NumericError where a finite value overflows.
void from_f32(std::span<const float> values, DType dtype, std::span<std::byte> out);

}  // namespace assay
