// What runs of a model say of the scored tokens: sums per block of positions, window by window.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/pass.h"

namespace assay {

// Sums over a block: up to kBlockPositions consecutive scored positions of one window. Blocks are what the bootstrap
// resamples: long enough that neighbouring tokens' dependence stays inside, many enough for a few windows' interval.
struct BlockSums {
    std::int64_t window = 0;
    std::int64_t tokens = 0;
    double nll = 0;         // Σ -ln p(token), nats
    double kl = 0;          // Σ KL(reference ‖ this run), nats; 0 for the reference itself
    std::int64_t top1 = 0;  // positions where both runs' most likely token is the same
};

inline constexpr std::int64_t kBlockPositions = 64;

struct RunScores {
    std::vector<BlockSums> blocks;   // in the order of windows and positions
    std::vector<double> token_kl;    // per scored token, where asked for
};

// Scores the reference (first result) and each variant against it, chunk by chunk; logits of all tokens never exist at
// once. Every window's sums are the same bits however windows are chunked and whatever other variants there are.
// Throws NumericError where a run's result is not finite, naming run, window and position.
std::vector<RunScores> score_runs(const Engine& engine, std::span<const TokenChunk> chunks, const FinalStates& reference,
                                  std::span<const FinalStates* const> variants, bool keep_token_kl = false);

}  // namespace assay
