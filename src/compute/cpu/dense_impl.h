// The products in double, compiled once per instruction set under the rule of kernels_impl.h.
#pragma once

#include <utility>

#include "compute/cpu/dense_kernels.h"

namespace assay::compute {
namespace {

// kRows rows of the result and two vectors of its columns stay in registers.
template <class Isa>
struct DenseKernelSet {
    using Vec = typename Isa::DoubleVec;
    static constexpr std::int64_t kWidth = Isa::kWidth / 2, kPanel = 2 * kWidth, kRows = Isa::kDoubleRows;
    static constexpr std::int64_t kDepth =
        256;  // of a pass over all rows: its part of b stays in the first cache
    static_assert(kProductColumns % kPanel == 0);

    static Vec load(const double* p) {
        Vec v;
        __builtin_memcpy(&v, p, sizeof(v));
        return v;
    }
    static void store(double* p, Vec v) { __builtin_memcpy(p, &v, sizeof(v)); }

    template <bool kSubtract, int... R>
    static void tile(std::integer_sequence<int, R...>, const ProductTask& t) {
        Vec low[sizeof...(R)] = {}, high[sizeof...(R)] = {};
        const double *a = t.a, *b = t.b;
        for (std::int64_t d = 0; d < t.depth; ++d, a += t.a_stride, b += t.b_stride) {
            const Vec b0 = load(b), b1 = load(b + kWidth);
            ((low[R] += (a[R] - Vec{}) * b0, high[R] += (a[R] - Vec{}) * b1), ...);
        }
        const auto finish = [](double* c, Vec sum) { store(c, kSubtract ? load(c) - sum : load(c) + sum); };
        ((finish(t.c + R * t.c_stride, low[R]), finish(t.c + R * t.c_stride + kWidth, high[R])), ...);
    }

    template <bool kSubtract, int... R>
    static void tile_of(std::integer_sequence<int, R...>, std::int64_t rows, const ProductTask& t) {
        using Kernel = void (*)(const ProductTask&);
        static constexpr Kernel kernels[] = {tile_rows<kSubtract, R + 1>...};
        kernels[rows - 1](t);
    }
    template <bool kSubtract, int kCount>
    static void tile_rows(const ProductTask& t) {
        tile<kSubtract>(std::make_integer_sequence<int, kCount>{}, t);
    }

    template <bool kSubtract>
    static void product(const ProductTask& task) {
        for (std::int64_t d = 0; d < task.depth; d += kDepth) {
            for (std::int64_t c = 0; c < kProductColumns; c += kPanel) {
                for (std::int64_t r = 0; r < task.rows; r += kRows) {
                    ProductTask t = task;
                    t.depth = task.depth - d < kDepth ? task.depth - d : kDepth;
                    t.a = task.a + d * task.a_stride + r;
                    t.b = task.b + d * task.b_stride + c;
                    t.c = task.c + r * task.c_stride + c;
                    const std::int64_t rows = task.rows - r < kRows ? task.rows - r : kRows;
                    tile_of<kSubtract>(std::make_integer_sequence<int, kRows>{}, rows, t);
                }
            }
        }
    }

    static constexpr DenseKernels table() { return {product<false>, product<true>}; }
};

}  // namespace
}  // namespace assay::compute
