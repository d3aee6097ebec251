// All windows before one block at a time: the block may be looked at, changed and run again before they move
// on.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "model/block_runner.h"
#include "model/kept_states.h"
#include "model/pass.h"
#include "model/prefetcher.h"

namespace assay {

// Sees a linear's input where it is: a chunk's rows, or those that were routed to the linear's expert.
using InputSeen =
    std::function<void(const LinearItem& item, const compute::Batch& rows, const compute::Tensor& input)>;

// The operations whose results the inputs of these linears are made from (indexes into the program's
// operations), in their order.
std::vector<std::size_t> operations_before(const BlockProgram& program, std::span<const std::size_t> linears);

// States that take more than the engine's limit wait in a file. The same bits for any limits and number of
// threads; all that throws, throws as run_pass().
class BlockWalk {
  public:
    // All windows before block 0. Model and engine must outlive it.
    BlockWalk(const Model& model, const Engine& engine, std::span<const EvaluationWindow> windows);

    // The block that comes next.
    std::int64_t block() const { return block_; }

    // Runs as much of the next block, with the overlay (null: the model as it is), as the inputs of these
    // linears need (indexes into its program's operations), and shows them. No window moves on.
    void look(std::span<const std::size_t> linears, const WeightOverlay* overlay, const InputSeen& seen);

    // Runs the next block, shows all of its linears' inputs where `seen` is given, and moves on.
    void advance(const WeightOverlay* overlay, const InputSeen& seen = {});

    // Positions of all windows: the units of progress of either.
    std::int64_t rows() const { return rows_; }

  private:
    void run(std::span<const std::size_t> ops, std::span<const std::size_t> shown,
             const WeightOverlay* overlay, const InputSeen& seen, bool moves);
    void keep_output(std::size_t chunk);

    const Model& model_;
    const Engine& engine_;
    std::vector<TokenChunk> chunks_;
    BlockRunner runner_;
    KeptStates states_;
    Prefetcher prefetcher_;
    Activations slots_;
    std::int64_t block_ = 0, rows_ = 0;
};

}  // namespace assay
