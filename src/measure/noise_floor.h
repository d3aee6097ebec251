// How far a model's predictions move by rounding alone: the least damage that means anything.
#pragma once

#include <span>

#include "base/evaluation_window.h"
#include "model/pass.h"

namespace assay {

inline constexpr std::int64_t kNoiseTokens = 256;

// Mean KL(other ‖ own) over the first positions of the first window, at most kNoiseTokens, in nats per token:
// the same model run by the engine's backend and by `other`, which computes more exactly or in another order.
// Logits are compared in double.
double measure_noise_floor(const Model& model, const Engine& own, compute::Backend& other,
                           std::span<const EvaluationWindow> windows);

}  // namespace assay
