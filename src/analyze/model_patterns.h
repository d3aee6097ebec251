// The patterns of one diagnosis: what its parts say together.
#pragma once

#include <cstdint>
#include <span>

#include "model/pass.h"
#include "records/activations.h"
#include "records/patterns.h"
#include "records/sensitivity.h"
#include "records/treatment.h"
#include "records/weights.h"

namespace assay {

struct DiagnosedParts {
    const WeightsResult& weights;
    const SensitivityResult& sensitivity;  // of the treatment alone
    const ActivationsResult& activations;
};

// Depth and projections (analyze/patterns.h), the advice on the first and last blocks
// (analyze/edge_blocks.h), the two factors of each linear's damage, its output error measured on the windows,
// and how well these indicators rank linears of blocks: weight_error, range_ratio, kurtosis, activation_ratio
// (max / mean |x| of the input), output_error, propagated_error (error of the last block's hidden states, of
// measured linears). Throws as output_errors() and measure_edge_advice().
PatternsResult find_patterns(const Model& model, const Engine& engine,
                             std::span<const EvaluationWindow> windows, const Treatment& treatment,
                             const DiagnosedParts& parts, std::uint64_t seed);

}  // namespace assay
