// What can be chosen of the cpu backend.
#pragma once

namespace assay::compute {

// Which kernels to use: the best that the processor has, or at most those of an older one (to test them on a
// newer machine). kAvx512 leaves out AMX. kAvx2ShortSums sums the linears' products in another order than
// kAvx2: what rounding does is measured between two orders.
enum class CpuKernels { kBest, kAvx512, kAvx2, kAvx2ShortSums };

constexpr bool allows_avx512(CpuKernels kernels) {
    return kernels == CpuKernels::kBest || kernels == CpuKernels::kAvx512;
}

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
