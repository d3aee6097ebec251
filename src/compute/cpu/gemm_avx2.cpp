// Built with -march=x86-64-v3: 16 registers of 8 floats.
#include "compute/cpu/gemm_impl.h"

namespace assay::compute {
namespace {

typedef float Vec8 __attribute__((vector_size(32)));

struct Avx2 : FloatOperand<Vec8> {
    static constexpr int kWidth = 8, kRows = 6, kVectors = 2;
};

}  // namespace

const GemmKernels kGemmAvx2 = VectorGemm<Avx2>::table("avx2");
const GemmKernels kGemmAvx2ShortSums = VectorGemm<Avx2, 32>::table("avx2, short sums");

}  // namespace assay::compute
