// Built with -march=x86-64-v3: 16 registers of 8 floats.
#include <immintrin.h>

#include "compute/cpu/gemm_impl.h"

namespace assay::compute {
namespace {

typedef float Vec8 __attribute__((vector_size(32)));

struct Avx2 : FloatOperand<Vec8> {
    static constexpr int kWidth = 8, kRows = 6, kVectors = 2;
    static Vec multiply_add(Vec sum, Vec a, Vec b) {
        return (Vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)sum);
    }
};

}  // namespace

const GemmKernels kGemmAvx2 = VectorGemm<Avx2>::table("avx2");
const GemmKernels kGemmAvx2ShortSums = VectorGemm<Avx2, 32>::table("avx2, short sums");

}  // namespace assay::compute
