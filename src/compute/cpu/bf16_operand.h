// Operands of pairs of bf16, for instruction sets with AVX512_BF16; the same rule as in kernels_impl.h.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace assay::compute {
namespace {

// Rounds to nearest even; a number below 2^-126 becomes zero, as in the products themselves.
struct Bf16Operand {
    using Unit = std::uint32_t;
    static constexpr std::int64_t kElements = 2;

    // Units of elements [begin, begin + 2n) of a row of `in` floats, n <= 16; zero past its end.
    static void read(const float* row, std::int64_t begin, std::int64_t in, std::int64_t n, Unit* out) {
        const std::int64_t left = in - begin, elements = left < 2 * n ? left : 2 * n;
        const auto mask = static_cast<__mmask32>(elements >= 32 ? ~0u : (1u << elements) - 1);
        const __m512 low = _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), row + begin);
        const __m512 high = _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask >> 16), row + begin + 16);
        const auto pairs = (__m512i)_mm512_cvtne2ps_pbh(high, low);
        _mm512_mask_storeu_epi32(out, static_cast<__mmask16>((1u << n) - 1), pairs);
    }
};

}  // namespace
}  // namespace assay::compute
