// Products on vector registers, compiled once per instruction set; the same rule as in kernels_impl.h.
//
// The right operand is packed in panels of kPanel columns. A block of at most kDepth units of a panel (second
// cache) meets all rows, kRows at a time, whose kRows x kPanel sums stay in registers; meanwhile the next
// panel is fetched. The left operand is read in place where it is f32.
#pragma once

#include <utility>

#include "compute/cpu/gemm_kernels.h"
#include "compute/cpu/gemm_pack.h"

namespace assay::compute {
namespace {

// Isa names the vectors, the sums' registers kRows x kVectors, and the operand with its multiply-add. kDepth:
// units that a block has at most.
template <class Isa, std::int64_t kDepth = 1024>
struct VectorGemm {
    using Vec = typename Isa::Vec;  // kWidth floats
    using Unit = typename Isa::Unit;
    using Packing = Panels<Isa>;
    static constexpr int kWidth = Isa::kWidth, kRows = Isa::kRows, kVectors = Isa::kVectors;
    static constexpr std::int64_t kPanel = kWidth * kVectors;
    static constexpr std::int64_t kStep = 4;   // units between two fetches ahead
    static constexpr std::int64_t kLine = 16;  // units of a cache line

    // kRows (or fewer) rows of a against one panel: y = a·b + bias + add. add and y have `y_stride`.
    struct Tile {
        const Unit* a = nullptr;
        const Unit* b = nullptr;
        std::int64_t a_stride = 0, depth = 0;
        const float* bias = nullptr;
        const float* add = nullptr;
        float* y = nullptr;
        std::int64_t y_stride = 0;
        const Unit* next_panel = nullptr;  // what to fetch into the second cache meanwhile
    };

    template <class T>
    static Vec load(const T* p) {
        Vec v;
        __builtin_memcpy(&v, p, sizeof(v));
        return v;
    }
    static void store(float* p, Vec v) { __builtin_memcpy(p, &v, sizeof(v)); }

    template <int kCount, int... R>
    static inline __attribute__((always_inline)) void step(std::integer_sequence<int, R...>,
                                                           Vec (&sums)[sizeof...(R)][kCount], const Unit* a,
                                                           std::int64_t a_stride, const Unit* b) {
        Vec column[kCount];
        for (int v = 0; v < kCount; ++v) column[v] = load(b + v * kWidth);
        const auto add_row = [&](Vec(&row)[kCount], const Unit* element) __attribute__((always_inline)) {
            const Vec x = Isa::broadcast(element);
            for (int v = 0; v < kCount; ++v) row[v] = Isa::multiply_add(row[v], x, column[v]);
        };
        (add_row(sums[R], a + R * a_stride), ...);
    }

    template <int kCount, int... R>
    static void multiply_tile(std::integer_sequence<int, R...> rows, const Tile& t) {
        Vec sums[sizeof...(R)][kCount] = {};
        const auto fetch_row = [&](const float* row) {
            for (int v = 0; v < kCount; ++v) __builtin_prefetch(row + v * kWidth, 1);
        };
        (fetch_row(t.y + R * t.y_stride), ...);
        const Unit *a = t.a, *b = t.b, *next_panel = t.next_panel;
        const std::int64_t stride = t.a_stride;
        std::int64_t k = 0;
        for (; k + kStep <= t.depth; k += kStep, next_panel += kLine) {
            // Written out: a loop over the four is not always unrolled, and its sums not kept in registers.
            step(rows, sums, a + k, stride, b + k * kCount * kWidth);
            step(rows, sums, a + k + 1, stride, b + (k + 1) * kCount * kWidth);
            step(rows, sums, a + k + 2, stride, b + (k + 2) * kCount * kWidth);
            step(rows, sums, a + k + 3, stride, b + (k + 3) * kCount * kWidth);
            __builtin_prefetch(next_panel, 0, 2);
            // A line of each of the following rows while this step's line of 16 units lasts.
            const Unit* ahead = a + (kRows + k / kStep % kStep * 2) * stride + k;
            __builtin_prefetch(ahead);
            __builtin_prefetch(ahead + stride);
        }
        for (; k < t.depth; ++k) step(rows, sums, a + k, stride, b + k * kCount * kWidth);
        const auto finish = [&](const Vec(&row)[kCount], std::int64_t r) {
            for (int v = 0; v < kCount; ++v) {
                Vec sum = row[v];
                if (t.bias != nullptr) sum += load(t.bias + v * kWidth);
                if (t.add != nullptr) sum += load(t.add + r * t.y_stride + v * kWidth);
                store(t.y + r * t.y_stride + v * kWidth, sum);
            }
        };
        (finish(sums[R], R), ...);
    }

    template <int kRowCount, int kCount>
    static void multiply_rows(const Tile& t) {
        multiply_tile<kCount>(std::make_integer_sequence<int, kRowCount>{}, t);
    }

    using TileKernel = void (*)(const Tile&);
    template <int kCount, int... R>
    static TileKernel kernel_of(std::integer_sequence<int, R...>, std::int64_t rows) {
        static constexpr TileKernel kernels[] = {multiply_rows<R + 1, kCount>...};
        return kernels[rows - 1];
    }
    static TileKernel kernel(std::int64_t rows, std::int64_t vectors) {
        constexpr std::make_integer_sequence<int, kRows> all{};
        static_assert(kVectors == 2 || kVectors == 3);
        if (vectors == kVectors) return kernel_of<kVectors>(all, rows);
        return vectors == 2 ? kernel_of<2>(all, rows) : kernel_of<1>(all, rows);
    }

    // A panel whose last vector is not whole: through a buffer.
    static void multiply_ragged(Tile t, std::int64_t rows, std::int64_t columns) {
        float buffer[kRows * kPanel];
        const float *bias = t.bias, *add = t.add;
        float* y = t.y;
        const std::int64_t y_stride = t.y_stride;
        t.bias = t.add = nullptr;
        t.y = buffer;
        t.y_stride = kPanel;
        kernel(rows, (columns + kWidth - 1) / kWidth)(t);
        for (std::int64_t r = 0; r < rows; ++r) {
            for (std::int64_t c = 0; c < columns; ++c) {
                float sum = buffer[r * kPanel + c];
                if (bias != nullptr) sum += bias[c];
                if (add != nullptr) sum += add[r * y_stride + c];
                y[r * y_stride + c] = sum;
            }
        }
    }

    // All rows against columns [first, first + columns) of the panel at t.b.
    static void multiply_panel(const GemmTask& task, Tile t, std::int64_t first, std::int64_t columns) {
        const Unit* a = t.a;
        const float* add = t.add;
        for (std::int64_t r = 0; r < task.rows; r += kRows) {
            const std::int64_t rows = task.rows - r < kRows ? task.rows - r : kRows;
            t.a = a + r * t.a_stride;
            t.y = task.y + r * task.out + first;
            if (add != nullptr) t.add = add + r * task.out + first;
            if (columns % kWidth == 0)
                kernel(rows, columns / kWidth)(t);
            else
                multiply_ragged(t, rows, columns);
            t.next_panel += t.depth * kPanel / (kTileRows / kRows) / kLine * kLine;
        }
    }
    static constexpr std::int64_t kTileRows = 256;  // rows that a task usually has

    // Units that one pass over the panels takes.
    static std::int64_t block_depth(std::int64_t depth) {
        const std::int64_t blocks = (depth + kDepth - 1) / kDepth, even = (depth + blocks - 1) / blocks;
        return (even + kStep - 1) / kStep * kStep;
    }

    static void multiply(const GemmTask& task, void* scratch) {
        const std::int64_t depth = Packing::units(task.in), block = block_depth(depth);
        const Unit* w = static_cast<const Unit*>(task.w);
        for (std::int64_t k = 0; k < depth; k += block) {
            Tile t;
            t.depth = depth - k < block ? depth - k : block;
            t.a = Isa::left(task, k, t.depth, scratch, &t.a_stride);
            t.add = k == 0 ? task.residual : task.y;
            t.y_stride = task.out;
            for (std::int64_t first = 0; first < task.out; first += kPanel) {
                const std::int64_t left = task.out - first, columns = left < kPanel ? left : kPanel;
                const std::int64_t padded = (columns + kWidth - 1) / kWidth * kWidth;
                t.b = w + first * depth + k * padded;
                t.next_panel = t.b + depth * kPanel;
                t.bias = k == 0 && task.bias != nullptr ? task.bias + first : nullptr;
                multiply_panel(task, t, first, columns);
            }
        }
    }

    static std::int64_t packed_bytes(std::int64_t in, std::int64_t out) {
        return Packing::packed_bytes(in, out, kWidth);
    }
    static void pack(const float* w, std::int64_t stride, std::int64_t in, std::int64_t out, void* packed) {
        Packing::pack(w, stride, in, out, kPanel, kWidth, static_cast<Unit*>(packed));
    }
    static std::int64_t scratch_bytes(std::int64_t rows, std::int64_t in) {
        const std::int64_t depth = Packing::units(in);
        return Isa::scratch_units(rows, depth < kDepth ? depth : kDepth + kStep) *
               static_cast<std::int64_t>(sizeof(Unit));
    }

    static constexpr GemmKernels table(const char* name) {
        return {name, packed_bytes, pack, scratch_bytes, multiply};
    }
};

// f32 operands, the left one read in place. The instruction set names its fused multiply_add itself: a
// compiler that may contract sum + a·b does so in one loop and not in another, and rows would differ by where
// they are.
template <class Vector>
struct FloatOperand {
    using Vec = Vector;
    using Unit = float;
    static constexpr std::int64_t kElements = 1, kUnits = 1;
    static void read(const float* row, std::int64_t begin, std::int64_t in, std::int64_t n, float* out) {
        for (std::int64_t i = 0; i < n && begin + i < in; ++i) out[i] = row[begin + i];
    }
    static Vec broadcast(const float* p) {
        return *p - Vec{};
    }  // compilers turn this form into one broadcast
    static std::int64_t scratch_units(std::int64_t, std::int64_t) { return 0; }
    static const float* left(const GemmTask& task, std::int64_t k, std::int64_t, void*,
                             std::int64_t* stride) {
        *stride = task.in;
        return task.x + k;
    }
};

}  // namespace
}  // namespace assay::compute
