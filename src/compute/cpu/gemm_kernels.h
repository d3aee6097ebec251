// The matrix products' kernels, one table per instruction set and precision.
#pragma once

#include <cstdint>

namespace assay::compute {

// y = x wᵀ + bias + residual for some rows. Shape x [rows, in], w [out, in] as packed, y and residual [rows,
// out], all contiguous; residual may be y.
struct GemmTask {
    std::int64_t rows = 0, in = 0, out = 0;
    const float* x = nullptr;
    const void* w = nullptr;
    const float* bias = nullptr;      // null: none
    const float* residual = nullptr;  // null: none
    float* y = nullptr;
};

// Packed operands and scratch memory are 64-byte aligned. A row of y is the same bits whatever other rows
// stand beside it: each element is one chain of multiply-adds along `in`, cut at places that `in` alone says.
struct GemmKernels {
    const char* name;
    std::int64_t (*packed_bytes)(std::int64_t in, std::int64_t out);
    // Packs w [out, in], whose rows lie `stride` floats apart.
    void (*pack)(const float* w, std::int64_t stride, std::int64_t in, std::int64_t out, void* packed);
    std::int64_t (*scratch_bytes)(std::int64_t rows, std::int64_t in);
    void (*multiply)(const GemmTask& task, void* scratch);
};

extern const GemmKernels kGemmAvx2;
extern const GemmKernels
    kGemmAvx2ShortSums;  // chains are cut every 32 multiply-adds: other roundings of the same sums
extern const GemmKernels kGemmAvx512;
extern const GemmKernels kGemmAvx512Bf16;  // operands rounded to bf16, sums in f32
extern const GemmKernels kGemmAmxBf16;     // the same on AMX tiles

}  // namespace assay::compute
