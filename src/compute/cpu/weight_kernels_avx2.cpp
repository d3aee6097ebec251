// Built with -march=x86-64-v3: two registers for 16 floats, four for 16 doubles.
#include "compute/cpu/weight_kernels_impl.h"

namespace assay::compute {
namespace {

// Half of the lanes: what fits into one register.
struct Avx2Half {
    using Lanes = __m256;
    struct Doubles {
        __m256d a, b;
    };
    static constexpr int kWidth = 8;

    static Lanes load(const float* p) { return _mm256_loadu_ps(p); }
    static Lanes splat(float x) { return _mm256_set1_ps(x); }
    static Lanes sub(Lanes x, Lanes y) { return _mm256_sub_ps(x, y); }
    static Lanes fma(Lanes x, Lanes y, Lanes z) { return _mm256_fmadd_ps(x, y, z); }
    static Lanes subtract_product(Lanes x, Lanes y, Lanes z) { return _mm256_fnmadd_ps(y, z, x); }
    static Lanes smaller(Lanes x, Lanes y) { return _mm256_min_ps(x, y); }
    static Lanes larger(Lanes x, Lanes y) { return _mm256_max_ps(x, y); }
    // Lanes that differ, counted in each lane.
    using Count = __m256i;
    static Count no_count() { return _mm256_setzero_si256(); }
    static Count count_differing(Lanes x, Lanes y, Count count) {
        return _mm256_sub_epi32(count, _mm256_castps_si256(_mm256_cmp_ps(x, y, _CMP_NEQ_UQ)));
    }
    static std::int64_t total(Count count) {
        __m128i half = _mm_add_epi32(_mm256_castsi256_si128(count), _mm256_extracti128_si256(count, 1));
        half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
        return _mm_cvtsi128_si32(_mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1)));
    }

    static Doubles splat_double(double x) { return {_mm256_set1_pd(x), _mm256_set1_pd(x)}; }
    // From memory: a register's upper half would have to be moved first.
    static Doubles load_widened(const float* p) {
        return {_mm256_cvtps_pd(_mm_loadu_ps(p)), _mm256_cvtps_pd(_mm_loadu_ps(p + 4))};
    }
    static Doubles add(Doubles x, Doubles y) { return {_mm256_add_pd(x.a, y.a), _mm256_add_pd(x.b, y.b)}; }
    static Doubles sub(Doubles x, Doubles y) { return {_mm256_sub_pd(x.a, y.a), _mm256_sub_pd(x.b, y.b)}; }
    static Doubles mul(Doubles x, Doubles y) { return {_mm256_mul_pd(x.a, y.a), _mm256_mul_pd(x.b, y.b)}; }
    static Doubles fma(Doubles x, Doubles y, Doubles z) {
        return {_mm256_fmadd_pd(x.a, y.a, z.a), _mm256_fmadd_pd(x.b, y.b, z.b)};
    }
};

struct Avx2 {
    struct Lanes {
        __m256 a, b;
    };
    struct Doubles {
        __m256d a, b, c, d;
    };
    using Part = Avx2Half;
    static constexpr int kParts = 2;
    static Lanes join(const __m256 (&parts)[kParts]) { return {parts[0], parts[1]}; }
    static Doubles join(const Avx2Half::Doubles (&parts)[kParts]) {
        return {parts[0].a, parts[0].b, parts[1].a, parts[1].b};
    }

    static Lanes load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
    static void store(float* p, Lanes x) {
        _mm256_storeu_ps(p, x.a);
        _mm256_storeu_ps(p + 8, x.b);
    }
    static Lanes splat(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
    static Lanes add(Lanes x, Lanes y) { return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)}; }
    static Lanes sub(Lanes x, Lanes y) { return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)}; }
    static Lanes mul(Lanes x, Lanes y) { return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)}; }
    static Lanes div(Lanes x, Lanes y) { return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)}; }
    static Lanes fma(Lanes x, Lanes y, Lanes z) {
        return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
    }
    static Lanes subtract_product(Lanes x, Lanes y, Lanes z) {
        return {_mm256_fnmadd_ps(y.a, z.a, x.a), _mm256_fnmadd_ps(y.b, z.b, x.b)};
    }
    static Lanes smaller(Lanes x, Lanes y) { return {_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)}; }
    static Lanes larger(Lanes x, Lanes y) { return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)}; }
    static Lanes nearest(Lanes x) { return {nearest(x.a), nearest(x.b)}; }
    static Lanes to_f16(Lanes x) { return {to_f16(x.a), to_f16(x.b)}; }
    static Lanes to_bf16(Lanes x) { return {to_bf16(x.a), to_bf16(x.b)}; }
    static Lanes where_equal(Lanes x, Lanes y, Lanes yes, Lanes no) {
        return {_mm256_blendv_ps(no.a, yes.a, _mm256_cmp_ps(x.a, y.a, _CMP_EQ_OQ)),
                _mm256_blendv_ps(no.b, yes.b, _mm256_cmp_ps(x.b, y.b, _CMP_EQ_OQ))};
    }
    // 0 elsewhere.
    static Lanes where_positive(Lanes x, Lanes yes) {
        const __m256 zero = _mm256_setzero_ps();
        return {_mm256_and_ps(yes.a, _mm256_cmp_ps(x.a, zero, _CMP_GT_OQ)),
                _mm256_and_ps(yes.b, _mm256_cmp_ps(x.b, zero, _CMP_GT_OQ))};
    }
    // A bit a lane.
    static unsigned less(Lanes x, Lanes y) {
        return bits(_mm256_cmp_ps(x.a, y.a, _CMP_LT_OQ), _mm256_cmp_ps(x.b, y.b, _CMP_LT_OQ));
    }
    static unsigned differ(Lanes x, Lanes y) {
        return bits(_mm256_cmp_ps(x.a, y.a, _CMP_NEQ_UQ), _mm256_cmp_ps(x.b, y.b, _CMP_NEQ_UQ));
    }
    static Lanes magnitude(Lanes x) {
        const __m256 sign = _mm256_set1_ps(-0.0f);
        return {_mm256_andnot_ps(sign, x.a), _mm256_andnot_ps(sign, x.b)};
    }
    // Of the lanes with x = y only: elsewhere x becomes NaN, and the second operand is what is left.
    static Lanes smaller_where_equal(Lanes x, Lanes y, Lanes z) {
        return {_mm256_min_ps(or_nan(x.a, y.a), z.a), _mm256_min_ps(or_nan(x.b, y.b), z.b)};
    }
    static Lanes larger_where_equal(Lanes x, Lanes y, Lanes z) {
        return {_mm256_max_ps(or_nan(x.a, y.a), z.a), _mm256_max_ps(or_nan(x.b, y.b), z.b)};
    }
    static __m256 smaller_half(Lanes x) { return _mm256_min_ps(x.a, x.b); }
    static __m256 larger_half(Lanes x) { return _mm256_max_ps(x.a, x.b); }
    static float smallest(Lanes x) { return smallest_of(smaller_half(x)); }
    static float largest(Lanes x) { return largest_of(larger_half(x)); }
    static float sum(Lanes x) { return sum_of(_mm256_add_ps(x.a, x.b)); }

    static Doubles splat_double(double x) {
        const __m256d v = _mm256_set1_pd(x);
        return {v, v, v, v};
    }
    static Doubles widen(Lanes x) {
        return {_mm256_cvtps_pd(_mm256_castps256_ps128(x.a)), _mm256_cvtps_pd(_mm256_extractf128_ps(x.a, 1)),
                _mm256_cvtps_pd(_mm256_castps256_ps128(x.b)), _mm256_cvtps_pd(_mm256_extractf128_ps(x.b, 1))};
    }
    static Doubles add(Doubles x, Doubles y) {
        return {_mm256_add_pd(x.a, y.a), _mm256_add_pd(x.b, y.b), _mm256_add_pd(x.c, y.c),
                _mm256_add_pd(x.d, y.d)};
    }
    static Doubles sub(Doubles x, Doubles y) {
        return {_mm256_sub_pd(x.a, y.a), _mm256_sub_pd(x.b, y.b), _mm256_sub_pd(x.c, y.c),
                _mm256_sub_pd(x.d, y.d)};
    }
    static Doubles mul(Doubles x, Doubles y) {
        return {_mm256_mul_pd(x.a, y.a), _mm256_mul_pd(x.b, y.b), _mm256_mul_pd(x.c, y.c),
                _mm256_mul_pd(x.d, y.d)};
    }
    static Doubles fma(Doubles x, Doubles y, Doubles z) {
        return {_mm256_fmadd_pd(x.a, y.a, z.a), _mm256_fmadd_pd(x.b, y.b, z.b),
                _mm256_fmadd_pd(x.c, y.c, z.c), _mm256_fmadd_pd(x.d, y.d, z.d)};
    }
    static void store_doubles(double* p, Doubles x) {
        _mm256_storeu_pd(p, x.a);
        _mm256_storeu_pd(p + 4, x.b);
        _mm256_storeu_pd(p + 8, x.c);
        _mm256_storeu_pd(p + 12, x.d);
    }
    static double sum(Doubles x) {
        return sum_of(_mm256_add_pd(_mm256_add_pd(x.a, x.c), _mm256_add_pd(x.b, x.d)));
    }

  private:
    static unsigned bits(__m256 a, __m256 b) {
        return static_cast<unsigned>(_mm256_movemask_ps(a) | _mm256_movemask_ps(b) << 8);
    }
    static __m256 or_nan(__m256 x, __m256 y) { return _mm256_or_ps(x, _mm256_cmp_ps(x, y, _CMP_NEQ_UQ)); }
    static __m256 nearest(__m256 x) {
        return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    }
    static __m256 to_f16(__m256 x) {
        return _mm256_cvtph_ps(_mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    }
    static __m256 to_bf16(__m256 x) {  // of finite numbers
        const __m256i bits = _mm256_castps_si256(x);
        const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
        const __m256i sum = _mm256_add_epi32(_mm256_add_epi32(bits, odd), _mm256_set1_epi32(0x7fff));
        return _mm256_castsi256_ps(_mm256_and_si256(sum, _mm256_set1_epi32(-65536)));
    }
};

}  // namespace

const WeightKernels kAvx2WeightKernels = WeightKernelSet<Avx2>::table("avx2");

}  // namespace assay::compute
