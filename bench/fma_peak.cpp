#include "fma_peak.h"

#include <immintrin.h>
#include <time.h>

#include <algorithm>
#include <chrono>

#include "base/parallel.h"

namespace assay::bench {
namespace {

constexpr long kSteps = 4'000'000;

// Ten independent chains hide the latency of 4 to 5 cycles on two ports.
__attribute__((target("avx512f"))) float chains_avx512() {
    __m512 acc[10];
    for (auto& a : acc) a = _mm512_set1_ps(1.0f);
    const __m512 x = _mm512_set1_ps(0.999999f), y = _mm512_set1_ps(1e-7f);
    for (long i = 0; i < kSteps; ++i) {
#pragma GCC unroll 10
        for (int c = 0; c < 10; ++c) acc[c] = _mm512_fmadd_ps(acc[c], x, y);
    }
    for (int c = 1; c < 10; ++c) acc[0] = _mm512_add_ps(acc[0], acc[c]);
    return _mm512_cvtss_f32(acc[0]);
}

__attribute__((target("avx2,fma"))) float chains_avx2() {
    __m256 acc[10];
    for (auto& a : acc) a = _mm256_set1_ps(1.0f);
    const __m256 x = _mm256_set1_ps(0.999999f), y = _mm256_set1_ps(1e-7f);
    for (long i = 0; i < kSteps; ++i) {
#pragma GCC unroll 10
        for (int c = 0; c < 10; ++c) acc[c] = _mm256_fmadd_ps(acc[c], x, y);
    }
    for (int c = 1; c < 10; ++c) acc[0] = _mm256_add_ps(acc[0], acc[c]);
    return _mm256_cvtss_f32(acc[0]);
}

}  // namespace

double measure_fma_peak(int threads) {
    const bool wide = __builtin_cpu_supports("avx512f") != 0;
    ThreadPool pool(threads);
    double best = 0;
    for (int run = 0; run < 7; ++run) {
        const auto start = std::chrono::steady_clock::now();
        pool.for_each(threads, [&](std::int64_t) {
            volatile float keep = wide ? chains_avx512() : chains_avx2();
            static_cast<void>(keep);
        });
        const double seconds =
            std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        best = std::max(best, static_cast<double>(kSteps) * 10 * (wide ? 16 : 8) * 2 * threads / seconds);
    }
    return best;
}

double measure_fma_rate() {
    constexpr int kRuns = 10;
    const bool wide = __builtin_cpu_supports("avx512f") != 0;
    timespec before{}, after{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    for (int run = 0; run < kRuns; ++run) {
        volatile float keep = wide ? chains_avx512() : chains_avx2();
        static_cast<void>(keep);
    }
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    const double seconds = static_cast<double>(after.tv_sec - before.tv_sec) +
                           1e-9 * static_cast<double>(after.tv_nsec - before.tv_nsec);
    return static_cast<double>(kSteps) * kRuns * 10 * (wide ? 16 : 8) * 2 / seconds;
}

}  // namespace assay::bench
