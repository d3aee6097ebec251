// A product in double of one tile's width.
#pragma once

#include <cstdint>

namespace assay::compute {

inline constexpr std::int64_t kProductColumns = 64;

// c ± aᵀ b. Shape a [depth, rows], b [depth, kProductColumns], c [rows, kProductColumns]; strides in numbers.
struct ProductTask {
    const double* a = nullptr;
    const double* b = nullptr;
    double* c = nullptr;
    std::int64_t a_stride = 0;
    std::int64_t b_stride = kProductColumns;
    std::int64_t c_stride = kProductColumns;
    std::int64_t depth = 0;
    std::int64_t rows = 0;
};

}  // namespace assay::compute
