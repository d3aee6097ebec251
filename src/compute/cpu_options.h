// What can be chosen of the cpu backend.
#pragma once

namespace assay::compute {

// Which kernels to use: the best that the processor has, or at most those of an older one (to test them on a
// newer machine). kAvx512 leaves out AMX.
enum class CpuKernels { kBest, kAvx512, kAvx2 };

// Of the linears and the output layer: kBf16 rounds weights and inputs to bf16 and sums in f32. All else is
// f32.
enum class Precision { kF32, kBf16 };

struct CpuOptions {
    CpuKernels kernels = CpuKernels::kBest;
    Precision precision = Precision::kF32;
};

// Whether this processor has fast kernels for the options: kBf16 needs AMX-BF16 or AVX512_BF16.
bool cpu_supports(const CpuOptions& options);

}  // namespace assay::compute
