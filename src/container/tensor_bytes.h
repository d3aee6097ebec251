// Overflow-checked sizes of tensors. Private to container.
#pragma once

#include <cstdint>
#include <optional>

#include "number/ggml_blocks.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace assay {

// Product of the dimensions, or nothing where one is negative or the product of those that are not zero
// exceeds 63 bits: the product of any dimensions of an accepted shape fits.
std::optional<std::int64_t> checked_elements(const Shape& shape);

// Bytes of a packed tensor, or nothing where they do not fit or do not fill whole bytes.
std::optional<std::uint64_t> tensor_bytes(const Shape& shape, DType dtype);

// Bytes of a tensor of ggml blocks, or nothing where they do not fit or a row is not whole blocks.
std::optional<std::uint64_t> ggml_bytes(const Shape& shape, const GgmlTypeInfo& type);

}  // namespace assay
