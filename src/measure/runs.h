// Whole runs of models over windows: perplexity, and two runs compared.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "measure/scores.h"

namespace assay {

// A model, or a treated model: everything is measured on these.
struct Run {
    const Model* model = nullptr;
    const WeightOverlay* overlay = nullptr;  // null: the model as it is
};

struct MeasureOptions {
    bool keep_tokens = false;                 // RunScores' numbers of single tokens
    Prefixes prefixes = Prefixes::kSeparate;  // kShared where can_share_prefixes(): faster, the same bits
};

// Does a position's rotation depend on nothing but the position, in windows of these lengths?
bool can_share_prefixes(const Model& model, std::span<const EvaluationWindow> windows);

// Scores of each run on the same windows; the first is the reference of the others. Grouping changes no bit.
// Throws FormatError where the vocabularies differ, else as run_pass() and score_runs().
std::vector<RunScores> measure_runs(const Engine& engine, std::span<const EvaluationWindow> windows,
                                    std::span<const Run> runs, const MeasureOptions& options);

// How many windows of the longest one's length fit into `state_bytes` with that many runs beside
// each other; at least 1.
std::size_t windows_per_group(const Model& model, const compute::Backend& backend,
                              std::span<const EvaluationWindow> windows, std::int64_t runs,
                              std::int64_t state_bytes);

// Windows in a group, and rows of the largest one.
struct GroupSize {
    std::size_t windows = 0;
    std::int64_t rows = 0;
};

// The same for windows whose prefixes are shared, or are not (`shared` is then empty); halved until all
// groups fit.
GroupSize group_size(const Model& model, const compute::Backend& backend,
                     std::span<const EvaluationWindow> windows, std::span<const std::int64_t> shared,
                     std::int64_t runs, const MemoryLimits& limits);

}  // namespace assay
