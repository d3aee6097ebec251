// What the CPU backend's linear() multiplies with.
#pragma once

#include <cstdint>

#include "compute/cpu/gemm.h"
#include "compute/tensor.h"

namespace assay::compute {

class CpuOperand : public PackedLinear {
  public:
    // y = f(x) + residual (null: none) of some rows, on the caller's thread; residual may be y. Shape x
    // [rows, in], residual and y [rows, out], contiguous.
    virtual void multiply(std::int64_t rows, const float* x, const float* residual, float* y) const = 0;
};

}  // namespace assay::compute
