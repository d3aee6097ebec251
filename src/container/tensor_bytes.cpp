#include "container/tensor_bytes.h"

#include <algorithm>

#include "base/checked.h"

namespace assay {

std::optional<std::int64_t> checked_elements(const Shape& shape) {
    std::int64_t product = 1;  // of the dimensions that are not zero
    for (std::int64_t dimension : shape) {
        if (dimension < 0 ||
            __builtin_mul_overflow(product, std::max<std::int64_t>(dimension, 1), &product)) {
            return std::nullopt;
        }
    }
    return std::find(shape.begin(), shape.end(), 0) == shape.end() ? product : 0;
}

std::optional<std::uint64_t> tensor_bytes(const Shape& shape, DType dtype) {
    const auto elements = checked_elements(shape);
    if (!elements) return std::nullopt;
    const auto bits =
        checked_mul(static_cast<std::uint64_t>(*elements), static_cast<std::uint64_t>(dtype_bits(dtype)));
    if (!bits || *bits % 8 != 0) return std::nullopt;
    return *bits / 8;
}

std::optional<std::uint64_t> ggml_bytes(const Shape& shape, const GgmlTypeInfo& type) {
    const auto elements = checked_elements(shape);
    const std::int64_t row = shape.empty() ? 1 : shape.back();
    if (!elements || row % type.block_elements != 0) return std::nullopt;
    return checked_mul(static_cast<std::uint64_t>(*elements) / type.block_elements, type.block_bytes);
}

}  // namespace assay
