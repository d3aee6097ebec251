// How far treatments move linears' outputs on real inputs.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "model/pass.h"

namespace assay {

// ‖ΔY‖_F / ‖X Wᵀ‖_F of each item under each treatment, over all positions of the windows (of an expert:
// over those routed to it), X the reference run's inputs, ΔY = X ΔWᵀ, or f(X) - X Wᵀ where inputs are
// rounded, without biases: [items][treatments]; 0 where X Wᵀ is 0. One pass, and a product of the linear's
// size for each treatment, as many packed at a time as fit the engine's head_bytes; sums in double, window by
// window: the same bits for any grouping and any number of threads. Throws: InvalidArgument for no windows
// and for items outside the blocks, else as run_pass() and the overlays do.
std::vector<std::vector<double>> output_errors(const Model& model, const Engine& engine,
                                               std::span<const EvaluationWindow> windows,
                                               std::span<const std::size_t> items,
                                               std::span<const WeightOverlay* const> treatments);

}  // namespace assay
