// Built with -march=x86-64-v3: 16 registers of 8 floats.
#include <immintrin.h>

#include "compute/cpu/dense_impl.h"
#include "compute/cpu/kernels_gradients_impl.h"
#include "compute/cpu/rounding_impl.h"

namespace assay::compute {
namespace {

struct Avx2 {
    static constexpr int kWidth = 8, kRows = 6, kVectors = 2, kDoubleRows = 4;
    typedef float Vec __attribute__((vector_size(32)));
    typedef int Ints __attribute__((vector_size(32)));
    typedef float HalfVec __attribute__((vector_size(16)));
    typedef double DoubleVec __attribute__((vector_size(32)));
    static Vec multiply_add(Vec a, Vec b, Vec sum) {
        return (Vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)sum);
    }
    static DoubleVec widen(HalfVec v) { return (DoubleVec)_mm256_cvtps_pd((__m128)v); }
    static Vec larger(Vec a, Vec b) { return (Vec)_mm256_max_ps((__m256)a, (__m256)b); }
    static Vec smaller(Vec a, Vec b) { return (Vec)_mm256_min_ps((__m256)a, (__m256)b); }
};

}  // namespace

const Kernels kAvx2Kernels =
    KernelSet<Avx2>::table("avx2", GradientKernelSet<Avx2>::table(), RoundingKernelSet<Avx2>::table());
const DenseKernels kAvx2Dense = DenseKernelSet<Avx2>::table();

}  // namespace assay::compute
