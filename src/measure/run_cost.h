// What a measurement will take: memory by its parts, and time from a few timed operations of the model's own
// shapes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/evaluation_window.h"
#include "model/pass.h"

namespace assay {

// One pass over all windows and the scoring that follows it.
struct Workload {
    const Model* model = nullptr;    // the largest of those that run
    std::int64_t runs = 1;           // whole runs beside each other
    std::vector<std::size_t> forks;  // swapped items, in one pass beside the single run
    std::span<const EvaluationWindow> windows;
    std::int64_t scored = 0;     // treatments that a reverse pass scores; 0: there is none, else runs is 1
    bool attributed = false;     // the scores also tell each linear's parts
    std::int64_t errors = 0;     // treatments whose output errors one more pass tells (output_errors.h)
    bool predicts = true;        // the output layer scores the tokens
    std::int64_t tap_bytes = 0;  // that taps hold
    // Rows that windows share with the ones before them (shared_rows()); empty: none. Of whole runs.
    std::vector<std::int64_t> shared = {};
    bool calibrated = false;  // the model is treated block after block on the windows; there are no runs
    bool gradients = false;   // and by a method that looks at gradients
    bool halves = false;      // and by one that searches its damping: every linear is rounded seven times
    // Scales of inputs that are tried before, each on all linears that read one: of a fold all at once.
    std::int64_t scalings = 0;
};

// A sweep of these items of the model: one fork each, and one more, of the first item, as the control.
Workload sweep_workload(const Model& model, std::vector<std::size_t> items,
                        std::span<const EvaluationWindow> windows);

// Scores of all of the model's items under so many treatments.
Workload score_workload(const Model& model, std::size_t treatments, std::span<const EvaluationWindow> windows,
                        bool attributed = false);

// Largest amounts of memory held at once, in bytes.
struct MemoryNeed {
    std::int64_t base = 0;         // what the process holds before, and a reserve for the libraries
    std::int64_t block = 0;        // one block's packed weights, swapped ones, and f32 copies while packing
    std::int64_t activations = 0;  // of one chunk of positions
    std::int64_t states = 0;       // hidden states of one group of windows, all runs
    std::int64_t head = 0;         // parts of output layers, packed, with an f32 copy
    std::int64_t scores = 0;       // sums per scored token, all runs

    // Blocks and heads are never there at once.
    std::int64_t total() const { return base + states + std::max(block + activations, head + scores); }
};

// With the limits as they are.
MemoryNeed memory_need(const Workload& work, const compute::Backend& backend, int threads,
                       const MemoryLimits& limits);

// Limits under which the workload needs at most `budget` bytes: the largest chunks, then groups, then parts
// of heads that fit. Throws InvalidArgument, with the parts' sizes, where not even the smallest ones do.
MemoryLimits fit_memory(const Workload& work, const compute::Backend& backend, int threads,
                        std::int64_t budget);

// Measured speeds. Unit: per second.
struct Rates {
    double linear_flops = 0;     // products of the model's own shapes
    double attention_flops = 0;  // 4 · head_dim per query, visible key and head
    double head_flops = 0;       // logits, softmax and divergence included
    double packed_elements = 0;  // weights converted and packed
    double disk_bytes = 0;       // weights read
};

// Times one tile operation of each kind, about a quarter of a second in all.
Rates measure_rates(const Model& model, const Engine& engine, std::int64_t window_tokens);

// Floating-point operations of one window of `tokens` positions through block `block`: 2 per multiply-add.
double linear_flops(const Model& model, std::int64_t block, std::int64_t tokens);
double attention_flops(const Model& model, std::int64_t block, std::int64_t tokens);

// Seconds: linears, attention and heads of all runs and forks, and once per group of windows loading all
// blocks; reading the disk counts where it takes longer than the computing that it overlaps.
double predict_seconds(const Workload& work, const Rates& rates, const MemoryLimits& limits,
                       const compute::Backend& backend);

}  // namespace assay
