#include "compute/cpu/gemm.h"

#include "base/checked.h"
#include "base/error.h"
#include "compute/cpu/cpu_features.h"

namespace assay::compute {
namespace {

// The fastest allowed kernels for the precision; null where there are none.
const GemmKernels* choose(const CpuOptions& options) {
    const bool avx512_allowed = allows_avx512(options.kernels);
    if (options.precision == Precision::kBf16) {
        if (options.kernels == CpuKernels::kBest && has_amx_bf16()) return &kGemmAmxBf16;
        return avx512_allowed && has_avx512_bf16() ? &kGemmAvx512Bf16 : nullptr;
    }
    if (avx512_allowed && has_avx512()) return &kGemmAvx512;
    if (!has_avx2()) return nullptr;
    return options.kernels == CpuKernels::kAvx2ShortSums ? &kGemmAvx2ShortSums : &kGemmAvx2;
}

const GemmKernels& choose_or_throw(const CpuOptions& options) {
    if (const GemmKernels* kernels = choose(options)) return *kernels;
    if (options.precision == Precision::kBf16) {
        throw Error(
            "precision bf16 needs a processor with AMX-BF16 or AVX512_BF16, and this one has neither: use "
            "f32");
    }
    throw Error("this processor has neither AVX-512 nor AVX2 with FMA, which the cpu backend needs");
}

std::int64_t floats_of(std::int64_t bytes) {
    return ceil_div(bytes, static_cast<std::int64_t>(sizeof(float)));
}

}  // namespace

bool cpu_supports(const CpuOptions& options) {
    return choose(options) != nullptr;
}

Gemm::Gemm(const CpuOptions& options) : kernels_(choose_or_throw(options)) {}

PackedMatrix Gemm::pack(MatrixView<const float> w) const {
    if (w.rows() == 0 || w.cols() == 0) throw InvalidArgument("a product's operand has no elements");
    PackedMatrix matrix{aligned_floats(floats_of(kernels_.packed_bytes(w.cols(), w.rows()))), w.rows(),
                        w.cols()};
    kernels_.pack(w.data(), w.stride(), w.cols(), w.rows(), matrix.packed.get());
    return matrix;
}

void Gemm::multiply(std::int64_t rows, const float* x, const PackedMatrix& w, const float* bias,
                    const float* residual, float* y) {
    ScratchPool::Block scratch = scratch_.take(floats_of(kernels_.scratch_bytes(rows, w.in)));
    kernels_.multiply({rows, w.in, w.out, x, w.packed.get(), bias, residual, y}, scratch.floats.get());
    scratch_.put(std::move(scratch));
}

}  // namespace assay::compute
