// The pass: all windows through all blocks in order, each block's weights read, converted and packed once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/cancel.h"
#include "base/parallel.h"
#include "base/part_cache.h"
#include "base/progress.h"
#include "compute/backend.h"
#include "model/model.h"
#include "model/run_head.h"
#include "model/token_chunks.h"

namespace assay {

// Sees the reference run's tensors where they are, in the order of the computation.
class Tap {
  public:
    virtual ~Tap() = default;
    // Which rows of the chunk each expert of a block gets, before its linears; `slot` is the one that these
    // name. The reference lives as long as the call.
    virtual void routed(int /*slot*/, const compute::Routing& /*routing*/) {}
    // output holds x wᵀ + bias (+ residual, where the block's program adds it in the same operation and
    // PassOptions do not part them). `rows` are the chunk's, or those that were routed to the item's expert.
    virtual void linear(const LinearItem& item, const compute::Batch& rows, const compute::Tensor& input,
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
    // Residuals are added after the linears, so that the tap sees outputs without them: the same run but for
    // rounding. Not beside forks, which start from values that are the same bits.
    bool residuals_apart = false;
};

// The final hidden states of one run, after the last norm, of the scored positions; and its output layer.
struct FinalStates {
    std::vector<compute::Tensor> chunks;  // [scored rows, hidden] each
    RunHead head;
};

struct ForkResult {
    FinalStates states;
    // Of a block's linear, per window: error = ‖ΔY‖² of its output, reference = ‖Y‖².
    std::vector<compute::SquaredError> output_error;
    // Per block from the swap's on, per window: ‖h_fork - h_ref‖² and ‖h_ref‖² of the residual stream after
    // the block.
    std::vector<std::vector<compute::SquaredError>> propagation;
    // Per block from the swap's on, per window: positions that go to other experts than in the reference run.
    // None in models without experts.
    std::vector<std::vector<std::int64_t>> changed_routes;
};

struct PassResult {
    FinalStates reference;
    std::vector<ForkResult> forks;
};

// How much memory a measurement may take for what it can cut into pieces; no result depends on it.
struct MemoryLimits {
    std::int64_t state_bytes = std::int64_t{4} << 30;  // kept states: windows go in groups that fit
    std::int64_t head_bytes = std::int64_t{4} << 30;   // output layers: they come in parts that fit
    std::int64_t chunk_rows = 2048;                    // positions that move through a block together
};

// Where the time of passes goes, added up.
struct PassMeter {
    std::int64_t blocks = 0;  // run, those of every pass
    double disk_seconds = 0;  // waited for a block's bytes
    double load_seconds = 0;  // converting, treating and packing weights
    double compute_seconds = 0;
};

// What a run needs besides the model. All must outlive it.
struct Engine {
    compute::Backend& backend;
    ThreadPool& pool;
    Progress& progress;
    const CancelToken& cancel;
    MemoryLimits limits = {};
    PassMeter* meter = nullptr;  // where given, passes add to it
    PartCache* parts = nullptr;  // where given, groups of windows that are finished are kept there
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
