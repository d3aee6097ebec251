// Shapes of stored tensors, row-major, slowest dimension first (as in PyTorch).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace assay {

using Shape = std::vector<std::int64_t>;

// Product of the dimensions (1 for rank 0). The parsers have checked that it fits.
inline std::int64_t element_count(const Shape& shape) {
    std::int64_t n = 1;
    for (std::int64_t d : shape) n *= d;
    return n;
}

// "[576, 1536]"
inline std::string to_string(const Shape& shape) {
    std::string text = "[";
    for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
    return text + "]";
}

}  // namespace assay
