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
    std::int64_t context = 0;                          // leading positions of each window that are not scored
    std::int64_t state_bytes = std::int64_t{4} << 30;  // bound on kept states; windows go in groups that fit
    bool keep_token_kl = false;
};

inline constexpr std::int64_t kChunkRows = 2048;  // positions that move through a block together

// Scores of each run on the same windows; the first is the reference of the others. Grouping changes no bit.
// Throws FormatError where the vocabularies differ, else as run_pass() and score_runs().
std::vector<RunScores> measure_runs(const Engine& engine, std::span<const TokenWindow> windows,
                                    std::span<const Run> runs, const MeasureOptions& options);

// How many windows of the longest one's length fit into `state_bytes` with that many runs beside each other;
// at least 1.
std::size_t windows_per_group(const Model& model, const compute::Backend& backend,
                              std::span<const TokenWindow> windows, std::int64_t runs,
                              std::int64_t state_bytes);

}  // namespace assay
