// A block's program backwards: from the gradient of its output to that of its input, past every linear.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "model/block_runner.h"

namespace assay {

// What going backwards needs of a block besides its weights: wᵀ of each linear, in the order of the program.
using TransposedLinears = std::vector<std::unique_ptr<compute::PackedLinear>>;

// Called for each linear (index into the program's operations) with its input and the gradient of its output.
using LinearGradient =
    std::function<void(std::size_t op, const compute::Tensor& input, const compute::Tensor& g_output)>;

class BlockGradient {
  public:
    // Both must outlive it.
    BlockGradient(const BlockRunner& runner, compute::Backend& backend)
        : runner_(runner), backend_(backend) {}

    // g holds ∂L/∂(the block's output); becomes ∂L/∂(its input). `slots` are those of the block's own forward
    // run of the same chunk. Operations go in the reverse order of the program; where several read a slot,
    // their gradients add up in that order.
    void run(const compute::Batch& batch, const BlockWeights& weights, const TransposedLinears& transposed,
             const Activations& slots, const LinearGradient& seen, compute::Tensor& g);

  private:
    struct Step;
    struct Slot {
        compute::Tensor values;  // kept from chunk to chunk
        bool known = false;      // holds a gradient of this run
        compute::RoutingGradient weights;
    };

    void back(const Step& step, const BlockOp& op, std::size_t index);
    void norm(const Step& step, const BlockOp& op, std::size_t index, const compute::Tensor& g_out);
    void linear(const Step& step, const BlockOp& op, std::size_t index, const compute::Tensor& g_out);
    void attention(const Step& step, const BlockOp& op, const compute::Tensor& g_out);
    void gated(const Step& step, const BlockOp& op, const compute::Tensor& g_out);
    void gather(const Step& step, const BlockOp& op, const compute::Tensor& g_out);
    void combine(const Step& step, const BlockOp& op, const compute::Tensor& g_out);

    Slot& at(int slot) { return slots_[static_cast<std::size_t>(slot)]; }
    compute::Tensor& shaped(const Step& step, int slot);
    const compute::Tensor* base(int slot) { return at(slot).known ? &at(slot).values : nullptr; }
    compute::Tensor& only_reader(const Step& step, int slot);
    compute::TargetColumns columns(const Step& step, const SlotPart& part);
    void add(const Step& step, int slot, const compute::Tensor& g);

    const BlockRunner& runner_;
    compute::Backend& backend_;
    std::vector<Slot> slots_;
};

}  // namespace assay
