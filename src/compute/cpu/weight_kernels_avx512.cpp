// Built with -march=x86-64-v4.
#include "compute/cpu/weight_kernels_impl.h"

namespace assay::compute {
namespace {

struct Avx512 {
    using Lanes = __m512;
    struct Doubles {
        __m512d a, b;
    };
    using Part = Avx512;
    static constexpr int kParts = 1, kWidth = 16;
    static Lanes join(const Lanes (&parts)[kParts]) { return parts[0]; }
    static Doubles join(const Doubles (&parts)[kParts]) { return parts[0]; }

    static Lanes load(const float* p) { return _mm512_loadu_ps(p); }
    static void store(float* p, Lanes x) { _mm512_storeu_ps(p, x); }
    static Lanes splat(float x) { return _mm512_set1_ps(x); }
    static Lanes add(Lanes x, Lanes y) { return _mm512_add_ps(x, y); }
    static Lanes sub(Lanes x, Lanes y) { return _mm512_sub_ps(x, y); }
    static Lanes mul(Lanes x, Lanes y) { return _mm512_mul_ps(x, y); }
    static Lanes div(Lanes x, Lanes y) { return _mm512_div_ps(x, y); }
    static Lanes fma(Lanes x, Lanes y, Lanes z) { return _mm512_fmadd_ps(x, y, z); }
    static Lanes subtract_product(Lanes x, Lanes y, Lanes z) { return _mm512_fnmadd_ps(y, z, x); }
    // The masked forms, here and below: GCC 12 warns of an uninitialised operand inside its plain ones.
    static Lanes smaller(Lanes x, Lanes y) { return _mm512_maskz_min_ps(kAll, x, y); }
    static Lanes larger(Lanes x, Lanes y) { return _mm512_maskz_max_ps(kAll, x, y); }
    static Lanes nearest(Lanes x) {
        return _mm512_maskz_roundscale_ps(kAll, x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    }
    static Lanes to_f16(Lanes x) {
        const __m256i halves = _mm512_maskz_cvtps_ph(kAll, x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        return _mm512_maskz_cvtph_ps(kAll, halves);
    }
    static Lanes to_bf16(Lanes x) {  // of finite numbers
        const __m512i bits = _mm512_castps_si512(x);
        const __m512i odd = _mm512_and_si512(_mm512_maskz_srli_epi32(kAll, bits, 16), _mm512_set1_epi32(1));
        const __m512i sum = _mm512_add_epi32(_mm512_add_epi32(bits, odd), _mm512_set1_epi32(0x7fff));
        return _mm512_castsi512_ps(_mm512_and_si512(sum, _mm512_set1_epi32(-65536)));
    }
    static Lanes where_equal(Lanes x, Lanes y, Lanes yes, Lanes no) {
        return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, y, _CMP_EQ_OQ), no, yes);
    }
    // 0 elsewhere.
    static Lanes where_positive(Lanes x, Lanes yes) {
        return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, splat(0), _CMP_GT_OQ), yes);
    }
    // A bit a lane.
    static unsigned less(Lanes x, Lanes y) { return _mm512_cmp_ps_mask(x, y, _CMP_LT_OQ); }
    static unsigned differ(Lanes x, Lanes y) { return _mm512_cmp_ps_mask(x, y, _CMP_NEQ_UQ); }
    using Count = std::int64_t;
    static Count no_count() { return 0; }
    static Count count_differing(Lanes x, Lanes y, Count count) {
        return count + __builtin_popcount(differ(x, y));
    }
    static std::int64_t total(Count count) { return count; }
    static Lanes magnitude(Lanes x) { return _mm512_maskz_andnot_ps(kAll, splat(-0.0f), x); }
    // Of the lanes with x = y only; elsewhere z.
    static Lanes smaller_where_equal(Lanes x, Lanes y, Lanes z) {
        return _mm512_mask_min_ps(z, _mm512_cmp_ps_mask(x, y, _CMP_EQ_OQ), x, z);
    }
    static Lanes larger_where_equal(Lanes x, Lanes y, Lanes z) {
        return _mm512_mask_max_ps(z, _mm512_cmp_ps_mask(x, y, _CMP_EQ_OQ), x, z);
    }
    static __m256 smaller_half(Lanes x) { return _mm256_min_ps(low(x), high(x)); }
    static __m256 larger_half(Lanes x) { return _mm256_max_ps(low(x), high(x)); }
    static float smallest(Lanes x) { return smallest_of(smaller_half(x)); }
    static float largest(Lanes x) { return largest_of(larger_half(x)); }
    static float sum(Lanes x) { return sum_of(_mm256_add_ps(low(x), high(x))); }

    static Doubles splat_double(double x) { return {_mm512_set1_pd(x), _mm512_set1_pd(x)}; }
    static Doubles widen(Lanes x) {
        return {_mm512_maskz_cvtps_pd(kHalf, low(x)), _mm512_maskz_cvtps_pd(kHalf, high(x))};
    }
    static Doubles load_widened(const float* p) {
        return {_mm512_maskz_cvtps_pd(kHalf, _mm256_loadu_ps(p)),
                _mm512_maskz_cvtps_pd(kHalf, _mm256_loadu_ps(p + 8))};
    }
    static Doubles add(Doubles x, Doubles y) { return {_mm512_add_pd(x.a, y.a), _mm512_add_pd(x.b, y.b)}; }
    static Doubles sub(Doubles x, Doubles y) { return {_mm512_sub_pd(x.a, y.a), _mm512_sub_pd(x.b, y.b)}; }
    static Doubles mul(Doubles x, Doubles y) { return {_mm512_mul_pd(x.a, y.a), _mm512_mul_pd(x.b, y.b)}; }
    static Doubles fma(Doubles x, Doubles y, Doubles z) {
        return {_mm512_fmadd_pd(x.a, y.a, z.a), _mm512_fmadd_pd(x.b, y.b, z.b)};
    }
    static void store_doubles(double* p, Doubles x) {
        _mm512_storeu_pd(p, x.a);
        _mm512_storeu_pd(p + 8, x.b);
    }
    static double sum(Doubles x) {
        const __m512d y = _mm512_add_pd(x.a, x.b);
        return sum_of(_mm256_add_pd(__builtin_shufflevector(y, y, 0, 1, 2, 3),
                                    __builtin_shufflevector(y, y, 4, 5, 6, 7)));
    }

  private:
    static constexpr __mmask16 kAll = 0xffff;
    static constexpr __mmask8 kHalf = 0xff;

    static __m256 low(Lanes x) { return __builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7); }
    static __m256 high(Lanes x) { return __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15); }
};

}  // namespace

const WeightKernels kAvx512WeightKernels = WeightKernelSet<Avx512>::table("avx512");

}  // namespace assay::compute
