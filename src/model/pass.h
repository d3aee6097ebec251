// The pass: all windows through all blocks in order, each block's weights read, converted and packed once.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/cancel.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "compute/backend.h"
#include "model/model.h"
#include "model/token_chunks.h"

namespace assay {

// Replaces linears' operations: here by changing the weight before it is packed. Thread-safe.
class WeightOverlay {
  public:
    virtual ~WeightOverlay() = default;
    virtual bool treats(const LinearItem& item) const = 0;
    // Changes w [out, in] in place. Called only where treats() says so.
    virtual void apply(const LinearItem& item, MatrixView<float> w) const = 0;
};

// Sees the reference run's tensors where they are, in the order of the computation.
class Tap {
  public:
    virtual ~Tap() = default;
    // output holds x wᵀ + bias (+ residual, where the block's program adds it in the same operation).
    virtual void linear(const LinearItem& item, const TokenChunk& chunk, const compute::Tensor& input,
                        const compute::Tensor& output) = 0;
    // The residual stream after a block; block -1: the embeddings.
    virtual void block(std::int64_t block, const TokenChunk& chunk, const compute::Tensor& state) = 0;
};

// One item swapped, everything else as in the reference run. It starts where its swap sits.
struct Fork {
    std::size_t item = 0;  // index into Model::items()
    const WeightOverlay* overlay = nullptr;
};

struct PassOptions {
    const WeightOverlay* overlay = nullptr;  // of the reference run itself; null: the model as it is
    std::span<const Fork> forks;
    Tap* tap = nullptr;
};

// The final hidden states of one run, after the last norm, of the scored positions.
struct FinalStates {
    std::vector<compute::Tensor> chunks;  // [scored rows, hidden] each
    std::shared_ptr<const compute::PackedHead> head;
};

struct ForkResult {
    FinalStates states;
    // Of a block's linear, per window: error = ‖ΔY‖² of its output, reference = ‖Y‖².
    std::vector<compute::SquaredError> output_error;
    // Per block from the swap's on, per window: ‖h_fork - h_ref‖² and ‖h_ref‖² of the residual stream after
    // the block.
    std::vector<std::vector<compute::SquaredError>> propagation;
};

struct PassResult {
    FinalStates reference;
    std::vector<ForkResult> forks;
};

// What a run needs besides the model. All must outlive it.
struct Engine {
    compute::Backend& backend;
    ThreadPool& pool;
    Progress& progress;
    const CancelToken& cancel;
};

// Runs the model over all chunks. A fork without effect gives the reference's own bits: same kernels, same
// order. Throws FormatError or NumericError for weights that cannot be used, Interrupted when asked to stop.
PassResult run_pass(const Model& model, const Engine& engine, std::span<const TokenChunk> chunks,
                    const PassOptions& options);

// Bytes of states that one window of `tokens` costs `runs` runs (a reference and its forks) kept beside each
// other.
std::int64_t pass_state_bytes(const Model& model, const compute::Backend& backend, std::int64_t tokens,
                              std::int64_t runs);

}  // namespace assay
