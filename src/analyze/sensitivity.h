// Exact sensitivity: every linear treated alone, measured on the same windows in one pass over the weights.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/pass.h"
#include "records/sensitivity.h"
#include "records/treatment.h"

namespace assay {

struct SensitivityOptions {
    Treatment treatment;
    std::vector<std::size_t> items;  // indexes into Model::items()
    double noise_floor = 0;          // damage that rounding alone makes, nats per token
    std::uint64_t seed = 0;          // of the intervals
};

// Per item: damage, ΔNLL, ΔPPL with paired 95 % intervals, relative output error, error propagation, rank,
// category and recommendation; and the control, a fork that swaps nothing, which must be exactly 0
// (NumericError otherwise). All swaps advance in one pass per group of windows; grouping changes no bit of
// the result. Throws InvalidArgument for no items, as run_pass() and score_runs() do otherwise.
SensitivityResult measure_sensitivity(const Model& model, const Engine& engine,
                                      std::span<const EvaluationWindow> windows,
                                      const SensitivityOptions& options);

// One item's swap asked the naive way: a whole run of the swapped model beside a whole run of the reference.
// Slow; the check of the above and its benchmark. Returns the swapped run's block sums.
std::vector<BlockSums> measure_swap_naively(const Model& model, const Engine& engine,
                                            std::span<const EvaluationWindow> windows,
                                            const SensitivityOptions& options, std::size_t item);

}  // namespace assay
