// What runs of a model say of the scored tokens: sums per block of positions, window by window.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/pass.h"
#include "records/block_sums.h"

namespace assay {

struct RunScores {
    std::vector<BlockSums> blocks;  // in the order of windows and positions
    // Of each scored token in the same order, where asked for: -ln p(token) and KL(reference ‖ this run).
    std::vector<double> token_nll, token_kl;
};

// Scores the reference (first result) and each variant against it, chunk by chunk; logits of all tokens never
// exist at once. Every window's sums are the same bits however windows are chunked and whatever other
// variants there are. Throws NumericError where a run's result is not finite, naming run, window and
// position.
std::vector<RunScores> score_runs(const Engine& engine, std::span<const TokenChunk> chunks,
                                  const FinalStates& reference, std::span<const FinalStates* const> variants,
                                  bool keep_tokens = false);

// The scores of one chunk of a single run, as those of a reference. Throws NumericError as score_runs().
RunScores baseline_scores(const TokenChunk& chunk, const compute::TokenScores& scores);

// Tokens of the parts in which `heads` different output layers of a model come: what fits into `head_bytes`,
// packed and, one at a time, as f32 while it is packed; a multiple of kHeadPartTokens, or the whole
// vocabulary.
std::int64_t head_part_tokens(const Model& model, const compute::Backend& backend, std::int64_t heads,
                              std::int64_t head_bytes);

// Scores as plain numbers, for PartCache, and back. Throws FormatError for numbers that are not scores.
void append_numbers(const RunScores& scores, std::vector<double>& numbers);
RunScores read_scores(NumberReader& numbers);

// Appends a group's scores, whose windows count from 0, as windows from `first_window` on.
void append_scores(const RunScores& group, std::int64_t first_window, RunScores& all);

}  // namespace assay
