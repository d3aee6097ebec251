// Products of rounded inputs with packed codes of weights.
#pragma once

#include <span>
#include <vector>

#include "compute/cpu/cpu_operand.h"
#include "compute/cpu/kernels.h"
#include "compute/rounded_linear.h"

namespace assay::compute {

// Codes go through the products in f32 (or bf16, which holds them exactly). Within kDepth columns no sum of
// products of int8 codes is beyond 128·128·kDepth = 2^24, so that each is exact in f32 in any order; beyond,
// sums are in double.
class RoundedOperand final : public CpuOperand {
  public:
    static constexpr std::int64_t kDepth = 1024;

    RoundedOperand(const RoundedLinear& w, std::span<const float> bias, const RoundingKernels& kernels,
                   Gemm& gemm, ScratchPool& scratch);

    std::int64_t out_features() const override { return std::ssize(scales_); }
    std::int64_t in_features() const override { return in_; }
    void multiply(std::int64_t rows, const float* x, const float* residual, float* y) const override;

  private:
    static constexpr std::int64_t kSlice = 1024;  // outputs whose sums of a tile stay in the cache

    // Codes of the rows, [rows, columns] one run of kDepth columns after the other, and each row's scale.
    void round(std::int64_t rows, const float* x, float* codes, float* row_scales) const;

    struct Slice {
        std::int64_t first = 0, outs = 0;
        std::vector<PackedMatrix> blocks;  // one a run of columns
    };
    // y of the slice's outputs, from its sums.
    void rescale(const Slice& slice, std::int64_t rows, const double* sums, const float* row_scales,
                 const float* residual, float* y) const;

    std::int64_t in_;
    std::vector<Slice> slices_;
    std::vector<float> scales_, bias_;
    InputRounding input_;
    const RoundingKernels& kernels_;
    Gemm& gemm_;
    ScratchPool& scratch_;
};

}  // namespace assay::compute
