#include "model/block_runner.h"

#include <algorithm>
#include <cmath>

#include "model/rope.h"

namespace assay {

// One walk over the program: which slots this run has computed itself, and where the others are.
struct BlockRunner::Step {
    const compute::Batch& batch;
    const BlockWeights& weights;
    const Activations* base;  // null: all slots are own
    Activations& own;
    int swapped_op;  // -1: none
    const compute::PackedLinear* swapped;
    std::vector<bool> changed;

    bool is_own(int slot) const { return base == nullptr || changed[static_cast<std::size_t>(slot)]; }
    const compute::Tensor& slot(int slot) const { return is_own(slot) ? own[slot] : (*base)[slot]; }

    // Whether an operation's result differs from the base run's.
    bool affects(const BlockOp& op, std::size_t index) const {
        return base == nullptr || static_cast<int>(index) == swapped_op ||
               std::any_of(op.inputs.begin(), op.inputs.end(), [this](int s) { return is_own(s); }) ||
               (op.residual >= 0 && is_own(op.residual));
    }
};

BlockRunner::BlockRunner(const Model& model, compute::Backend& backend, std::int64_t longest_window)
    : program_(model.block()), backend_(backend), rms_eps_(model.config().rms_eps) {
    const ModelConfig& config = model.config();
    const RopeTables tables = rope_tables(config.rope, config.head_dim, longest_window);
    cosines_ = backend.allocate(longest_window, config.head_dim / 2);
    sines_ = backend.allocate(longest_window, config.head_dim / 2);
    backend.upload(tables.cosines.view(), cosines_);
    backend.upload(tables.sines.view(), sines_);
    attention_ = {config.heads,    config.kv_heads,
                  config.head_dim, 1 / std::sqrt(static_cast<double>(config.head_dim)),
                  &cosines_,       &sines_};
}

void BlockRunner::run(const compute::Batch& batch, const BlockWeights& weights, Activations& slots) const {
    const Step step{batch, weights, nullptr, slots, -1, nullptr, {}};
    for (std::size_t i = 0; i < program_.ops.size(); ++i) execute(step, program_.ops[i], i);
}

void BlockRunner::run_swapped(const compute::Batch& batch, const BlockWeights& weights,
                              const Activations& base, int op, const compute::PackedLinear& swapped,
                              Activations& own) const {
    Step step{batch, weights, &base, own, op, &swapped, std::vector<bool>(program_.slot_cols.size(), false)};
    for (std::size_t i = 0; i < program_.ops.size(); ++i) {
        if (!step.affects(program_.ops[i], i)) continue;
        execute(step, program_.ops[i], i);
        step.changed[static_cast<std::size_t>(program_.ops[i].output)] = true;
    }
}

void BlockRunner::execute(const Step& step, const BlockOp& op, std::size_t index) const {
    compute::Tensor& out = step.own[op.output];
    const std::int64_t cols = program_.slot_cols[static_cast<std::size_t>(op.output)];
    if (out.empty() || out.rows() != step.batch.rows()) out = backend_.allocate(step.batch.rows(), cols);
    const compute::Tensor& x = step.slot(op.inputs[0]);
    switch (op.kind) {
        case BlockOpKind::kRmsNorm:
            backend_.rms_norm(step.batch, x, step.weights.norms[index], rms_eps_, out);
            return;
        case BlockOpKind::kLinear: {
            const bool swapped = static_cast<int>(index) == step.swapped_op;
            backend_.linear(step.batch, x, swapped ? *step.swapped : *step.weights.linears[index],
                            op.residual >= 0 ? &step.slot(op.residual) : nullptr, out);
            return;
        }
        case BlockOpKind::kAttention:
            backend_.attention(step.batch, x, step.slot(op.inputs[1]), step.slot(op.inputs[2]), attention_,
                               out);
            return;
        case BlockOpKind::kGatedSilu:
            backend_.gated_silu(step.batch, x, step.slot(op.inputs[1]), out);
            return;
    }
}

}  // namespace assay
