// Runs a block's program on a backend: whole, or only what a swapped linear changes.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "compute/backend.h"
#include "model/model.h"

namespace assay {

// One block's operands, in the order of its program's operations (null or empty where an operation has none).
struct BlockWeights {
    const BlockProgram* program = nullptr;
    std::vector<std::unique_ptr<compute::PackedLinear>> linears;
    std::vector<compute::Tensor> norms;
};

// The slots of one chunk. Tensors are kept from chunk to chunk and made anew only when their shape changes.
class Activations {
  public:
    compute::Tensor& operator[](int slot) { return at(slot).values; }
    const compute::Tensor& operator[](int slot) const {
        return slots_[static_cast<std::size_t>(slot)].values;
    }
    compute::Routing& routing(int slot) { return at(slot).routing; }
    const compute::Routing& routing(int slot) const { return slots_[static_cast<std::size_t>(slot)].routing; }

  private:
    struct Slot {
        compute::Tensor values;
        compute::Routing routing;
    };
    Slot& at(int slot) {
        if (static_cast<std::size_t>(slot) >= slots_.size())
            slots_.resize(static_cast<std::size_t>(slot) + 1);
        return slots_[static_cast<std::size_t>(slot)];
    }

    std::vector<Slot> slots_;
};

// The rows that an operation works on: all of the chunk, or those that its routing gave to its expert.
const compute::Batch& rows_of(const BlockOp& op, const compute::Batch& batch, const Activations& slots);

class BlockRunner {
  public:
    BlockRunner(const Model& model, compute::Backend& backend, std::int64_t longest_window);

    // Called after each operation with its index, before a linear's residual is added.
    using Watch = std::function<void(std::size_t op)>;

    // All operations, from slots[input], which the caller has set, to slots[output]. With `watch`, residuals
    // are added to the outputs of linears in a step of their own.
    void run(const compute::Batch& batch, const BlockWeights& weights, Activations& slots,
             const Watch& watch = {}) const;

    // The same of some operations (indexes, in their order) whose inputs are there.
    void run_some(const compute::Batch& batch, const BlockWeights& weights, std::span<const std::size_t> ops,
                  Activations& slots) const;

    // Of a block's attention, with the rotary tables that it takes.
    compute::AttentionSpec attention_spec(const BlockProgram& program) const;

    double rms_eps() const { return config_.rms_eps; }

    // As run(), with operation `op` using `swapped` instead, starting from another run's slots: only
    // operations that depend on it are computed, into `own`. own[output] is then the fork's state.
    void run_swapped(const compute::Batch& batch, const BlockWeights& weights, const Activations& base,
                     int op, const compute::PackedLinear& swapped, Activations& own) const;

  private:
    struct Step;
    // Rotary tables of one RopeConfig, and the tensors that hold them.
    struct Rotary {
        std::vector<compute::Tensor> tensors;
        std::vector<compute::RotaryTable> tables;
    };

    Rotary upload(const RopeConfig& rope, std::int64_t longest_window) const;
    void execute(const Step& step, const BlockOp& op, std::size_t index) const;
    void attend(const Step& step, const BlockOp& op, compute::Tensor& out) const;
    void combine(const Step& step, const BlockOp& op, compute::Tensor& out) const;

    const ModelConfig& config_;
    compute::Backend& backend_;
    Rotary rope_, local_rope_;
};

}  // namespace assay
