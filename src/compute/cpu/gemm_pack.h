// Packing of a product's right operand, compiled once per instruction set like kernels_impl.h and under the
// same rule: unnamed namespace, no inline function of another header.
#pragma once

#include <cstdint>

namespace assay::compute {
namespace {

// What a 32-bit unit of an operand holds along `in`: one f32, or a pair of bf16. Operand names the unit's
// type, its elements, and how `units` of them are read from a row of floats.
template <class Operand>
struct Panels {
    using Unit = typename Operand::Unit;
    static constexpr std::int64_t kBlock = 16;  // units transposed at once

    static std::int64_t units(std::int64_t in) {
        const std::int64_t n = (in + Operand::kElements - 1) / Operand::kElements;
        return (n + Operand::kUnits - 1) / Operand::kUnits * Operand::kUnits;
    }

    // w [out, in] as panels of `panel` columns, each [units(in), columns]; the last has as few multiples of
    // `width` columns as hold the rest. What is past the end of w is zero.
    static void pack(const float* w, std::int64_t stride, std::int64_t in, std::int64_t out,
                     std::int64_t panel, std::int64_t width, Unit* packed) {
        const std::int64_t depth = units(in);
        for (std::int64_t first = 0; first < out; first += panel) {
            const std::int64_t left = (out - first + width - 1) / width * width;
            const std::int64_t columns = left < panel ? left : panel;
            // Block by block over all columns: what is written stays in the first cache until it is whole.
            for (std::int64_t u = 0; u < depth; u += kBlock) {
                const std::int64_t n = depth - u < kBlock ? depth - u : kBlock;
                Unit* target = packed + first * depth + u * columns;
                for (std::int64_t column = 0; column < columns; ++column) {
                    Unit block[kBlock] = {};
                    if (first + column < out)
                        Operand::read(w + (first + column) * stride, u * Operand::kElements, in, n, block);
                    for (std::int64_t i = 0; i < n; ++i) target[i * columns + column] = block[i];
                }
            }
        }
    }

    static std::int64_t packed_bytes(std::int64_t in, std::int64_t out, std::int64_t width) {
        return units(in) * ((out + width - 1) / width * width) * static_cast<std::int64_t>(sizeof(Unit));
    }
};

}  // namespace
}  // namespace assay::compute
