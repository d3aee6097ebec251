// The machine's f32 FMA peak, measured with register-only loops: what all speeds are divided by.
#pragma once

namespace assay::bench {

// Best of several runs of independent FMA chains on `threads` threads at once, AVX-512 where the processor
// has it, AVX2 otherwise. Unit: FLOP/s (an FMA counts two).
double measure_fma_peak(int threads);

// The same of one thread, a second of its processor time: what other programs do on the machine counts less.
double measure_fma_peak_of_a_core();

}  // namespace assay::bench
