// Built with -march=x86-64-v4: 32 registers of 16 floats.
#include <immintrin.h>

#include "compute/cpu/dense_impl.h"
#include "compute/cpu/kernels_gradients_impl.h"
#include "compute/cpu/rounding_impl.h"

namespace assay::compute {
namespace {

struct Avx512 {
    static constexpr int kWidth = 16, kRows = 12, kVectors = 2, kDoubleRows = 8;
    typedef float Vec __attribute__((vector_size(64)));
    typedef int Ints __attribute__((vector_size(64)));
    typedef float HalfVec __attribute__((vector_size(32)));
    typedef double DoubleVec __attribute__((vector_size(64)));
    static Vec multiply_add(Vec a, Vec b, Vec sum) {
        return (Vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)sum);
    }
    // The masked forms: GCC 12 warns of an uninitialised operand inside its plain ones.
    static DoubleVec widen(HalfVec v) { return (DoubleVec)_mm512_maskz_cvtps_pd(0xff, (__m256)v); }
    static Vec larger(Vec a, Vec b) { return (Vec)_mm512_maskz_max_ps(0xffff, (__m512)a, (__m512)b); }
    static Vec smaller(Vec a, Vec b) { return (Vec)_mm512_maskz_min_ps(0xffff, (__m512)a, (__m512)b); }
};

}  // namespace

const Kernels kAvx512Kernels = KernelSet<Avx512>::table("avx512", GradientKernelSet<Avx512>::table(),
                                                        RoundingKernelSet<Avx512>::table());
const DenseKernels kAvx512Dense = DenseKernelSet<Avx512>::table();

}  // namespace assay::compute
