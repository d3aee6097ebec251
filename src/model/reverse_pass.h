// The reverse pass: the gradient of the sampled labels' log-likelihood, delivered at every linear's output.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/pass.h"

namespace assay {

// Sees gradients of L = Σ_t ln p(label_t) over the scored positions of one chunk, where they are, from the
// output layer down to the embeddings.
class GradientTap {
  public:
    virtual ~GradientTap() = default;

    // Tokens [first_token, first_token + g_logits.cols()) of the output layer. Shape hidden [scored rows,
    // hidden] (after the final norm), g_logits [scored rows, tokens]: of hidden·wᵀ, before a softcap.
    virtual void head(std::int64_t first_token, const compute::Tensor& hidden,
                      const compute::Tensor& g_logits) = 0;

    // `rows`: the chunk's row of each row of the tensors, empty where they are all of the chunk's in order.
    // Shape input [rows, in], g_output [rows, out].
    virtual void linear(const LinearItem& item, std::span<const std::int64_t> rows,
                        const compute::Tensor& input, const compute::Tensor& g_output) = 0;

    // Of the residual stream before the first block [rows, hidden].
    virtual void embedding(const compute::Tensor& g_state) = 0;
};

struct ReverseResult {
    compute::TokenScores scores;       // of the true next tokens: the baseline
    std::vector<std::int32_t> labels;  // that were drawn, one a scored position
};

// Runs one chunk forwards, keeping the residual stream before each block (in memory, or in a file where it is
// larger than the engine's limits allow), draws each scored position's label from the model's own prediction
// with `uniforms` [scored rows], and goes back through the blocks, computing each one's forward run again.
// Weights are read twice. Goes no further back than `last_block`; embeddings are shown where that is 0.
// Throws as run_pass().
ReverseResult run_reverse_pass(const Model& model, const Engine& engine, const TokenChunk& chunk,
                               std::span<const double> uniforms, GradientTap& tap,
                               std::int64_t last_block = 0);

// Numbers that one position's slots hold in the widest block; of experts', those of as many as it goes to.
std::int64_t widest_slots(const Model& model);

// Bytes that one position costs the reverse pass, beside weights and kept states: a block's values and their
// gradients.
std::int64_t reverse_row_bytes(const Model& model, const compute::Backend& backend);

}  // namespace assay
