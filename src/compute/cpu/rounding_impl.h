// The kernels that make codes of inputs, compiled once per instruction set under the rule of kernels_impl.h.
#pragma once

#include "compute/cpu/kernels_impl.h"

namespace assay::compute {
namespace {

template <class Isa>
struct RoundingKernelSet : KernelSet<Isa> {
    using Base = KernelSet<Isa>;
    using Base::kWidth, Base::load, Base::load_tail, Base::splat, Base::larger, Base::smaller, Base::store;
    using typename Base::Ints;
    using typename Base::Vec;

    // Calls use(vector, first, count) with x / divisors (null: x), zeros behind the end.
    template <class Use>
    static void for_each_vector(const float* x, const float* divisors, std::int64_t n, const Use& use) {
        std::int64_t i = 0;
        for (; i + kWidth <= n; i += kWidth)
            use(divisors == nullptr ? load(x + i) : load(x + i) / load(divisors + i), i, kWidth);
        if (i == n) return;
        const Vec tail = load_tail(x + i, n - i, 0.0f);
        use(divisors == nullptr ? tail : tail / load_tail(divisors + i, n - i, 1.0f), i, n - i);
    }

    static float largest(const float* x, const float* divisors, std::int64_t n) {
        Vec top = splat(0.0f), poison = splat(0.0f);
        for_each_vector(x, divisors, n, [&](Vec v, std::int64_t, std::int64_t) {
            top = larger(top, v < Vec{} ? -v : v);
            poison += v - v;  // 0, or NaN
        });
        return Base::largest_lane(top) + Base::sum_lanes(poison);
    }

    static void keep(Vec codes, std::int64_t first, std::int64_t count, float* out) {
        if (count == kWidth) return store(out + first, codes);
        for (std::int64_t k = 0; k < count; ++k) out[first + k] = codes[k];
    }

    static void round_int8(const float* x, const float* divisors, std::int64_t n, float scale, float* codes) {
        const Vec shift = splat(12582912.0f);  // 1.5·2^23: its last place is 1
        for_each_vector(x, divisors, n, [&](Vec v, std::int64_t first, std::int64_t count) {
            const Vec t = smaller(larger(v / splat(scale), splat(-128.0f)), splat(127.0f));
            keep((t + shift) - shift, first, count, codes);
        });
    }

    // A number of the binade 2^e, or below 2^-6 of that one, goes to a multiple of 2^(e-3): the last place of
    // 1.5·2^(e+20).
    static void round_e4m3(const float* x, const float* divisors, std::int64_t n, float scale, float* codes) {
        const Ints exponent = Ints{} + 0x7f800000, lowest = Ints{} + (121 << 23),
                   up = Ints{} + ((20 << 23) | 0x400000);
        for_each_vector(x, divisors, n, [&](Vec v, std::int64_t first, std::int64_t count) {
            const Vec t = smaller(larger(v / splat(scale), splat(-448.0f)), splat(448.0f));
            Ints bits;
            __builtin_memcpy(&bits, &t, sizeof(t));
            bits &= exponent;
            bits = (bits < lowest ? lowest : bits) + up;
            Vec shift;
            __builtin_memcpy(&shift, &bits, sizeof(bits));
            keep((t + shift) - shift, first, count, codes);
        });
    }

    static constexpr RoundingKernels table() { return {largest, round_int8, round_e4m3}; }
};

}  // namespace
}  // namespace assay::compute
