// Runs a block's program on a backend: whole, or only what a swapped linear changes.
#pragma once

#include <memory>
#include <vector>

#include "compute/backend.h"
#include "model/model.h"

namespace assay {

// One block's operands, in the order of its program's operations (null or empty where an operation has none).
struct BlockWeights {
    std::vector<std::unique_ptr<compute::PackedLinear>> linears;
    std::vector<compute::Tensor> norms;
};

// The slots of one chunk. Tensors are kept from chunk to chunk and made anew only when the number of rows
// changes.
class Activations {
  public:
    explicit Activations(const BlockProgram& program) : slots_(program.slot_cols.size()) {}
    compute::Tensor& operator[](int slot) { return slots_[static_cast<std::size_t>(slot)]; }
    const compute::Tensor& operator[](int slot) const { return slots_[static_cast<std::size_t>(slot)]; }

  private:
    std::vector<compute::Tensor> slots_;
};

class BlockRunner {
  public:
    BlockRunner(const Model& model, compute::Backend& backend, std::int64_t longest_window);

    // All operations, from slots[input], which the caller has set, to slots[output].
    void run(const compute::Batch& batch, const BlockWeights& weights, Activations& slots) const;

    // As run(), with operation `op` using `swapped` instead, starting from another run's slots: only
    // operations that depend on it are computed, into `own`. own[output] is then the fork's state.
    void run_swapped(const compute::Batch& batch, const BlockWeights& weights, const Activations& base,
                     int op, const compute::PackedLinear& swapped, Activations& own) const;

  private:
    struct Step;
    void execute(const Step& step, const BlockOp& op, std::size_t index) const;

    const BlockProgram& program_;
    compute::Backend& backend_;
    double rms_eps_;
    compute::Tensor cosines_, sines_;
    compute::AttentionSpec attention_;
};

}  // namespace assay
