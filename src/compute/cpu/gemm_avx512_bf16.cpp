// Built with -march=x86-64-v4 -mavx512bf16: multiply-adds of pairs of bf16 into f32 sums.
#include "compute/cpu/bf16_operand.h"
#include "compute/cpu/gemm_impl.h"

namespace assay::compute {
namespace {

typedef float Vec16 __attribute__((vector_size(64)));

struct Avx512Bf16 : Bf16Operand {
    using Vec = Vec16;
    static constexpr int kWidth = 16, kRows = 8, kVectors = 3;
    static constexpr std::int64_t kUnits = 1;
    static Vec broadcast(const Unit* p) { return (Vec)_mm512_set1_epi32(static_cast<int>(*p)); }
    static Vec multiply_add(Vec sum, Vec a, Vec b) {
        return (Vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
    }

    // A line between rows: a power of two as stride would map all rows to the same cache sets.
    static std::int64_t stride_of(std::int64_t depth) { return (depth + 15) / 16 * 16 + 16; }
    static std::int64_t scratch_units(std::int64_t rows, std::int64_t depth) {
        return rows * stride_of(depth);
    }
    static const Unit* left(const GemmTask& task, std::int64_t k, std::int64_t depth, void* scratch,
                            std::int64_t* stride) {
        *stride = stride_of(depth);
        Unit* out = static_cast<Unit*>(scratch);
        for (std::int64_t r = 0; r < task.rows; ++r) {
            for (std::int64_t u = 0; u < depth; u += 16) {
                const std::int64_t n = depth - u < 16 ? depth - u : 16;
                read(task.x + r * task.in, (k + u) * kElements, task.in, n, out + r * *stride + u);
            }
        }
        return out;
    }
};

}  // namespace

const GemmKernels kGemmAvx512Bf16 = VectorGemm<Avx512Bf16>::table("avx512_bf16");

}  // namespace assay::compute
