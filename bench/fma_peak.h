// The machine's f32 FMA peak, measured with register-only loops: what all speeds are divided by.
#pragma once

#include "base/parallel.h"

namespace assay::bench {

// Best of several runs of independent FMA chains on `threads` threads at once, AVX-512 where the processor
// has it, AVX2 otherwise. Unit: FLOP/s (an FMA counts two).
double measure_fma_peak(int threads);

// FLOP of the same loops in a second of a thread's processor time while all of the pool's threads run them,
// the mean over a few runs: what a program gets whose threads may share a core with each other, and the
// machine with others.
double measure_fma_rate(ThreadPool& pool);

// The time of a vector division in times of a vector FMA, both independent of each other, measured in turn.
double measure_division_cost();

}  // namespace assay::bench
