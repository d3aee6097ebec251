// Exact swaps: linears treated one at a time, all measured on the same windows in one pass over the weights.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "measure/scores.h"
#include "model/pass.h"
#include "records/sensitivity.h"

namespace assay {

// What one swap did, over all windows.
struct SwapMeasurement {
    std::vector<BlockSums> blocks;
    std::optional<double> relative_output_error;       // ‖ΔY‖/‖Y‖ of a block's linear, Y its output
    std::vector<compute::SquaredError> output_errors;  // ‖ΔY‖² and ‖Y‖² of each window, where it is one
    std::vector<double> propagation;  // ‖h_fork - h_ref‖/‖h_ref‖ after the swap's block and each later one
    // Share of positions that go to other experts, in the same blocks; empty in models without experts.
    std::vector<double> route_changes;
};

struct SweepResult {
    std::vector<BlockSums> baseline;     // of the reference
    std::vector<SwapMeasurement> swaps;  // in the order of the forks
    Control control;
};

// Whether a sweep should go on with more windows, after those that it has measured.
using NeedsMore = std::function<bool(const SweepResult& so_far)>;

// All swaps advance in one pass per group of windows; grouping and the other swaps change no bit of the
// result. With them goes a control, a fork that swaps nothing, which must be exactly 0 (NumericError
// otherwise). `step` windows (0: all) are measured, and as many again as long as there are more and
// `needs_more` says so. Throws InvalidArgument for no swaps or windows, as run_pass() and score_runs() do
// otherwise.
SweepResult sweep_swaps(const Model& model, const Engine& engine, std::span<const EvaluationWindow> windows,
                        std::span<const Fork> swaps, std::uint64_t seed, std::size_t step = 0,
                        const NeedsMore& needs_more = {});

}  // namespace assay
