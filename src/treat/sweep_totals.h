// What single linears' sweeps add up to over a model, and what is worth a warning.
#pragma once

#include <cstddef>
#include <span>

#include "model/model.h"
#include "records/weights.h"

namespace assay {

// Adds the model-wide rows of the sweeps that the linears have, over those in blocks (as runtimes keep
// routers, embedding and head in 16 bits), and the warnings. Shape: items: of result.linears, in their order.
void summarise(const Model& model, std::span<const std::size_t> items, double range_ratio_limit,
               WeightsResult& result);

}  // namespace assay
