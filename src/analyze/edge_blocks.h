// Is it the first and the last blocks that should be kept? Measured.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "model/pass.h"
#include "records/patterns.h"
#include "records/treatment.h"

namespace assay {

inline constexpr std::int64_t kEdgeBlocks = 2;    // kept on either side
inline constexpr std::int64_t kLeastBlocks = 8;   // of a model in which they are not most of it
inline constexpr std::size_t kRandomChoices = 4;  // of as many blocks in between

// Whole runs of the model treated, and treated but for these blocks, all on the same windows beside the model
// as it is. Blocks that are not equal in bytes to the edge ones (dense among experts) are not drawn. None in
// models of fewer than kLeastBlocks. Intervals: paired bootstrap over blocks of positions. Throws as
// measure_runs() and the treatment do.
std::optional<EdgeAdvice> measure_edge_advice(const Model& model, const Engine& engine,
                                              std::span<const EvaluationWindow> windows,
                                              const Treatment& treatment, std::uint64_t seed);

// Runs that it measures beside each other.
inline constexpr std::int64_t kAdviceRuns = 3 + static_cast<std::int64_t>(kRandomChoices);

}  // namespace assay
