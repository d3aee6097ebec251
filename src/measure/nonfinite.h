// Where in a model numbers stop being finite.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "model/pass.h"

namespace assay {

// The first linear, in the order of the computation, whose output holds NaN or Inf on these chunks; none
// where all outputs are finite. A run of its own: for error texts, after a result turned out not to be
// finite.
std::optional<std::string> first_nonfinite_output(const Model& model, const Engine& engine,
                                                  std::span<const TokenChunk> chunks,
                                                  const WeightOverlay* overlay);

}  // namespace assay
