#include "fma_peak.h"

#include <immintrin.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <vector>

namespace assay::bench {
namespace {

constexpr long kSteps = 4'000'000;

enum class Kind { kFused, kDivision };

// Ten independent chains hide the latency of 4 to 5 cycles on two ports. They begin with different numbers:
// of ten equal ones a compiler makes one.
template <Kind kind>
__attribute__((target("avx512f"))) float chains_avx512(long steps) {
    __m512 acc[10];
    for (int c = 0; c < 10; ++c) acc[c] = _mm512_set1_ps(1.0f + 0.01f * static_cast<float>(c));
    const __m512 x = _mm512_set1_ps(0.999999f), y = _mm512_set1_ps(1e-7f);
    for (long i = 0; i < steps; ++i) {
#pragma GCC unroll 10
        for (int c = 0; c < 10; ++c)
            acc[c] = kind == Kind::kFused ? _mm512_fmadd_ps(acc[c], x, y) : _mm512_div_ps(x, acc[c]);
    }
    for (int c = 1; c < 10; ++c) acc[0] = _mm512_add_ps(acc[0], acc[c]);
    return _mm512_cvtss_f32(acc[0]);
}

template <Kind kind>
__attribute__((target("avx2,fma"))) float chains_avx2(long steps) {
    __m256 acc[10];
    for (int c = 0; c < 10; ++c) acc[c] = _mm256_set1_ps(1.0f + 0.01f * static_cast<float>(c));
    const __m256 x = _mm256_set1_ps(0.999999f), y = _mm256_set1_ps(1e-7f);
    for (long i = 0; i < steps; ++i) {
#pragma GCC unroll 10
        for (int c = 0; c < 10; ++c)
            acc[c] = kind == Kind::kFused ? _mm256_fmadd_ps(acc[c], x, y) : _mm256_div_ps(x, acc[c]);
    }
    for (int c = 1; c < 10; ++c) acc[0] = _mm256_add_ps(acc[0], acc[c]);
    return _mm256_cvtss_f32(acc[0]);
}

bool wide() {
    return __builtin_cpu_supports("avx512f") != 0;
}

double lanes() {
    return wide() ? 16 : 8;
}

template <Kind kind>
void run_chains(long steps) {
    volatile float keep = wide() ? chains_avx512<kind>(steps) : chains_avx2<kind>(steps);
    static_cast<void>(keep);
}

// Of this thread.
template <class Operation>
double processor_seconds(const Operation& operation) {
    timespec before{}, after{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    operation();
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    return static_cast<double>(after.tv_sec - before.tv_sec) +
           1e-9 * static_cast<double>(after.tv_nsec - before.tv_nsec);
}

}  // namespace

double measure_fma_peak(int threads) {
    ThreadPool pool(threads);
    double best = 0;
    for (int run = 0; run < 7; ++run) {
        const auto start = std::chrono::steady_clock::now();
        pool.for_each(threads, [&](std::int64_t) { run_chains<Kind::kFused>(kSteps); });
        const double seconds =
            std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        best = std::max(best, static_cast<double>(kSteps) * 10 * lanes() * 2 * threads / seconds);
    }
    return best;
}

double measure_fma_rate(ThreadPool& pool) {
    constexpr int kRuns = 10;
    std::vector<double> seconds(static_cast<std::size_t>(pool.threads()));
    pool.for_each(pool.threads(), [&](std::int64_t thread) {
        seconds[static_cast<std::size_t>(thread)] = processor_seconds([] {
            for (int run = 0; run < kRuns; ++run) run_chains<Kind::kFused>(kSteps);
        });
    });
    double all = 0;
    for (const double s : seconds) all += s;
    return static_cast<double>(kSteps) * kRuns * 10 * lanes() * 2 * pool.threads() / all;
}

double measure_division_cost() {
    constexpr long kPart = 50'000;
    double fused = 0, divided = 0;
    for (int run = 0; run < 20; ++run) {
        fused += processor_seconds([] { run_chains<Kind::kFused>(kPart); });
        divided += processor_seconds([] { run_chains<Kind::kDivision>(kPart); });
    }
    return divided / fused;
}

}  // namespace assay::bench
