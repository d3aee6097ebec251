// Built with -march=x86-64-v4: 32 registers of 16 floats.
#include <immintrin.h>

#include "compute/cpu/gemm_impl.h"

namespace assay::compute {
namespace {

typedef float Vec16 __attribute__((vector_size(64)));

struct Avx512 : FloatOperand<Vec16> {
    static constexpr int kWidth = 16, kRows = 8, kVectors = 3;
    static Vec multiply_add(Vec sum, Vec a, Vec b) {
        return (Vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)sum);
    }
};

}  // namespace

const GemmKernels kGemmAvx512 = VectorGemm<Avx512>::table("avx512");

}  // namespace assay::compute
