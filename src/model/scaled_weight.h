// A weight as a safetensors file holds it: plain numbers, or 8-bit numbers with their scales beside them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "container/safetensors.h"
#include "model/quantization_config.h"
#include "tensor/matrix.h"

namespace assay {

// The weight of row n and column k is numbers[n, k] · scales[n / block_rows, k / block_cols], one f32
// multiplication; without scales it is the number itself (f64 rounded to f32).
struct ScaledWeight {
    const TensorView* numbers = nullptr;
    const TensorView* scales = nullptr;
    std::int64_t block_rows = 1, block_cols = 1;
};

// Finds the tensor NAME and, for f8_e4m3, f8_e5m2 and i8, its scales: NAME_scale of one element, [N], [N, 1]
// or a block's grid [⌈N / block_rows⌉, ⌈K / block_cols⌉]; or, for the floats, NAME_scale_inv of the same
// shapes (in spite of its name a factor too). `place` names the weight in errors.
// Throws FormatError where the tensor or its scales are missing or of a shape that does not fit; Unsupported
// for other element types and for weights stored in another way (packed, with zero points, two scales, …).
// Source: transformers integrations/finegrained_fp8.py; compressed-tensors
// compressors/quantized_compressors/naive_quantized.py.
ScaledWeight find_weight(const TensorMap& tensors, std::string_view name, const QuantizedStorage& storage,
                         std::string_view place);

// Whether a tensor is the scales of another one, and so part of it.
bool is_scale(const TensorMap& tensors, std::string_view name);

// Rows [first_row, first_row + out.rows()), which must exist; a vector is one row.
void read_rows(const ScaledWeight& weight, std::int64_t first_row, MatrixView<float> out);

}  // namespace assay
