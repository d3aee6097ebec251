// Blame: which tensors of another checkpoint of a model cause its damage.
#pragma once

#include <span>

#include "analyze/sensitivity.h"
#include "records/blame.h"

namespace assay {

// `other` beside `reference` on the windows, and how much of its damage each linear's difference ΔW = Q - W
// causes alone: sensitivity (analyze/sensitivity.h) to the other model's weights, of those of options.items
// that differ; options.treatments is not used. Norms, biases and numbers of the config that differ are
// measured together, as one change.
// Throws FormatError where the models cannot be compared tensor by tensor (treat/model_differences.h), else
// as measure_runs() and measure_changes().
BlameResult measure_blame(const Model& reference, const Model& other, const Engine& engine,
                          std::span<const EvaluationWindow> windows, const SensitivityOptions& options);

}  // namespace assay
