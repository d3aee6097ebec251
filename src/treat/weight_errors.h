// What a treatment does to the weights themselves; needs no text.
#pragma once

#include <cstddef>
#include <span>

#include "model/pass.h"
#include "records/treatment.h"
#include "records/weights.h"

namespace assay {

// Moments, outliers and reconstruction error of the given items (indexes into Model::items()), in their
// order. Formulas: stats/moments.h, quantize/reconstruction.h; sizes: number/number_format.h, storage_size.
// Throws NumericError naming the tensor at NaN, Inf or a scale that overflows its type.
WeightsResult measure_weight_errors(const Model& model, std::span<const std::size_t> items,
                                    const Treatment& treatment, const Engine& engine);

}  // namespace assay
