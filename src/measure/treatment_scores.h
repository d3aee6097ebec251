// Scores: every linear x treatment's damage, estimated from one reverse pass over each window.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "measure/attribution.h"
#include "model/pass.h"
#include "records/block_sums.h"

namespace assay {

// Positions whose contributions S sums before it is squared.
inline constexpr std::int64_t kScorePositions = 32;

// One block of positions of one window.
struct ScoreBlock {
    std::int64_t window = 0;
    std::int64_t first_position = 0;
};

// Of one item and treatment.
struct TreatmentScore {
    std::size_t item = 0;       // index into Model::items()
    std::size_t treatment = 0;  // index into ScoreOptions::treatments
    std::vector<double> sums;   // S_b of each block, in the order of ScoreResult::blocks; nats
};

struct ScoreOptions {
    std::vector<std::size_t> items;                // indexes into Model::items()
    std::vector<const WeightOverlay*> treatments;  // each treats all of the items
    std::uint64_t seed = 0;                        // of the labels
    std::vector<std::size_t> attributed;  // those of the items whose damage is also told by its parts
    // Treatments stand for errors of their sizes and random signs: the sums are of what S² is then expected
    // to be, position by position: Σ_{t in b} Σ_oi g_to² ΔW_oi² x_ti². Of linears of blocks only; no
    // attributions.
    bool random_signs = false;
};

struct ScoreResult {
    std::vector<ScoreBlock> blocks;           // in the order of windows and positions
    std::vector<std::int64_t> window_tokens;  // scored positions of each window
    std::vector<BlockSums> baseline;          // of the true next tokens, as score_runs() gives them
    std::vector<TreatmentScore> scores;       // by item, then treatment; in the options' order
    std::vector<std::size_t> unscored;        // items that some treatment does not allow to score
    std::vector<Attribution> attributions;    // by item, then treatment; in the options' order
};

// For each window labels y_t are drawn from the model's own predictions, L = Σ_t ln p(y_t) over the scored
// positions, and with G = ∂L/∂Y of a linear's output Y and its input X
//   S_b(i, f) = Σ_{t in block b} ⟨G_t, ΔW_f x_t⟩,   ΔW_f the treatment's change of the weight.
// Over the labels, E[S] = 0 and E[(Σ_b S_b)²] = ΔwᵀFΔw with the window's Fisher F (docs/statistics.md).
// Treatments that round inputs change the output by ΔY_t = f(x_t) - W x_t instead of ΔW_f x_t; they are
// scored on linears of blocks, which all items must then be, and tell no parts. Embeddings count by the rows
// that are looked up, output layers by their logits, a tied one by both; they need treatments that work row
// by row, else they are unscored. One draw a window, the same for all items and treatments; the same bits for
// any grouping of windows and any number of threads. Attributions (measure/attribution.h) are of linears of
// blocks only: of the others only all slices together know S_b. Throws InvalidArgument for no items,
// treatments or windows, and for items outside the blocks where signs are random or inputs are rounded, and
// for both of these at once; else as run_reverse_pass() and the overlays do.
ScoreResult score_treatments(const Model& model, const Engine& engine,
                             std::span<const EvaluationWindow> windows, const ScoreOptions& options);

// Positions that go through the reverse pass together: whole windows, as many as the memory for states
// allows, at least one.
std::int64_t score_chunk_rows(const Model& model, const compute::Backend& backend, const MemoryLimits& limits,
                              std::span<const EvaluationWindow> windows);

}  // namespace assay
