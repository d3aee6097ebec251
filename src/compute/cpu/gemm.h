// Matrix products on packed weights, in the precision and with the kernels chosen at construction.
#pragma once

#include <cstdint>

#include "compute/cpu/aligned.h"
#include "compute/cpu/gemm_kernels.h"
#include "compute/cpu/scratch_pool.h"
#include "compute/cpu_options.h"
#include "tensor/matrix.h"

namespace assay::compute {

// An operand w [out, in] in the layout of one Gemm.
struct PackedMatrix {
    AlignedFloats packed;
    std::int64_t out = 0, in = 0;
};

// All calls may run at once on several threads; each runs on its own thread alone.
class Gemm {
  public:
    // Throws Error where the processor lacks what the options need (cpu_supports() is false).
    explicit Gemm(const CpuOptions& options);

    // The instruction set: "avx2", "avx512", "avx512_bf16", "amx_bf16".
    const char* name() const { return kernels_.name; }

    PackedMatrix pack(MatrixView<const float> w) const;

    // y = x wᵀ + bias + residual (null: none). A row's bits depend on that row and w alone.
    // Shape x [rows, in], residual and y [rows, out], contiguous; residual may be y.
    // Accuracy: f32 sums of exact products of the (rounded) operands, 3e-7 of Σ|x||w|.
    void multiply(std::int64_t rows, const float* x, const PackedMatrix& w, const float* bias,
                  const float* residual, float* y);

  private:
    const GemmKernels& kernels_;
    ScratchPool scratch_;
};

}  // namespace assay::compute
