// Activation statistics as a record.
#pragma once

#include <span>

#include "measure/activations.h"
#include "records/activations.h"

namespace assay {

// Alerts: ratio max / mean |x| above kMassiveRatio ("max_mean_ratio"), outlier channels in most windows that
// do not belong to single tokens ("persistent_channels"), massive tokens ("massive_tokens"), max |x| above
// the largest f16 number ("f16_overflow") or above a quarter of it ("f16_close").
ActivationSide activation_side(const TensorActivations& tensor);

ActivationsResult activations_result(const Model& model, const Activations& activations,
                                     std::span<const EvaluationWindow> windows);

}  // namespace assay
