#include "model/block_runner.h"

#include <algorithm>

#include "model/rope.h"

namespace assay {

using compute::Tensor;

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
    const Activations& owner(int slot) const { return is_own(slot) ? own : *base; }
    const Tensor& slot(int slot) const { return owner(slot)[slot]; }

    compute::Columns columns(const SlotPart& part) const {
        const Tensor& whole = slot(part.slot);
        return part.cols == 0 ? compute::Columns(whole) : compute::Columns(whole, part.first, part.cols);
    }
    const Tensor* residual(const BlockOp& op) const {
        return op.residual >= 0 ? &slot(op.residual) : nullptr;
    }
    const compute::Batch& rows(const BlockOp& op) const {
        return op.routing >= 0 ? rows_of(op, batch, owner(op.routing)) : batch;
    }

    // Whether an operation's result differs from the base run's.
    bool affects(const BlockOp& op, std::size_t index) const {
        return base == nullptr || static_cast<int>(index) == swapped_op ||
               std::any_of(op.inputs.begin(), op.inputs.end(),
                           [this](const SlotPart& part) { return is_own(part.slot); }) ||
               (op.residual >= 0 && is_own(op.residual));
    }
};

const compute::Batch& rows_of(const BlockOp& op, const compute::Batch& batch, const Activations& slots) {
    return op.routing >= 0 ? slots.routing(op.routing).experts[op.expert].batch : batch;
}

BlockRunner::BlockRunner(const Model& model, compute::Backend& backend, std::int64_t longest_window)
    : config_(model.config()), backend_(backend), rope_(upload(config_.rope, longest_window)) {
    const bool local = std::any_of(config_.layer.begin(), config_.layer.end(),
                                   [](const LayerConfig& layer) { return layer.local_rope; });
    if (local) local_rope_ = upload(config_.local_rope, longest_window);
}

BlockRunner::Rotary BlockRunner::upload(const RopeConfig& rope, std::int64_t longest_window) const {
    Rotary rotary;
    const auto variants = rope_variants(rope, longest_window);
    rotary.tensors.reserve(2 * variants.size());  // the tables point at them
    const auto keep = [&](const Matrix<float>& values) {
        rotary.tensors.push_back(backend_.allocate(values.rows(), values.cols()));
        backend_.upload(values.view(), rotary.tensors.back());
        return &rotary.tensors.back();
    };
    for (const RopeVariant& variant : variants) {
        const RopeTables tables = rope_tables(variant.rope, variant.max_positions);
        const Tensor *cosines = keep(tables.cosines), *sines = keep(tables.sines);
        rotary.tables.push_back({cosines, sines, variant.max_positions});
    }
    return rotary;
}

void BlockRunner::run(const compute::Batch& batch, const BlockWeights& weights, Activations& slots,
                      const Watch& watch) const {
    const Step step{batch, weights, nullptr, slots, -1, nullptr, {}};
    for (std::size_t i = 0; i < weights.program->ops.size(); ++i) {
        const BlockOp& op = weights.program->ops[i];
        const bool apart = watch && op.kind == BlockOpKind::kLinear && op.residual >= 0;
        BlockOp own = op;
        if (apart) own.residual = -1;
        execute(step, own, i);
        if (watch) watch(i);
        if (apart) backend_.add(slots[op.output], slots[op.residual], slots[op.output]);
    }
}

void BlockRunner::run_some(const compute::Batch& batch, const BlockWeights& weights,
                           std::span<const std::size_t> ops, Activations& slots) const {
    const Step step{batch, weights, nullptr, slots, -1, nullptr, {}};
    for (std::size_t i : ops) execute(step, weights.program->ops[i], i);
}

void BlockRunner::run_swapped(const compute::Batch& batch, const BlockWeights& weights,
                              const Activations& base, int op, const compute::PackedLinear& swapped,
                              Activations& own) const {
    const BlockProgram& program = *weights.program;
    Step step{batch, weights, &base, own, op, &swapped, std::vector<bool>(program.slot_cols.size(), false)};
    for (std::size_t i = 0; i < program.ops.size(); ++i) {
        if (!step.affects(program.ops[i], i)) continue;
        execute(step, program.ops[i], i);
        step.changed[static_cast<std::size_t>(program.ops[i].output)] = true;
    }
}

compute::AttentionSpec BlockRunner::attention_spec(const BlockProgram& program) const {
    return {config_.heads,
            config_.kv_heads,
            config_.head_dim,
            config_.attention_scale,
            program.window,
            config_.attention_softcap,
            program.local_rope ? local_rope_.tables : rope_.tables};
}

void BlockRunner::attend(const Step& step, const BlockOp& op, Tensor& out) const {
    backend_.attention(step.batch, step.columns(op.inputs[0]), step.columns(op.inputs[1]),
                       step.columns(op.inputs[2]), attention_spec(*step.weights.program), out);
}

void BlockRunner::combine(const Step& step, const BlockOp& op, Tensor& out) const {
    std::vector<const Tensor*> outputs;
    for (std::size_t i = 1; i < op.inputs.size(); ++i) outputs.push_back(&step.slot(op.inputs[i].slot));
    const int routing = op.inputs[0].slot;
    backend_.combine_experts(step.batch, step.owner(routing).routing(routing), outputs, *step.residual(op),
                             out);
}

void BlockRunner::execute(const Step& step, const BlockOp& op, std::size_t index) const {
    Tensor& out = step.own[op.output];  // first: it may move the other slots
    const compute::Batch& rows = step.rows(op);
    const std::int64_t cols = step.weights.program->slot_cols[static_cast<std::size_t>(op.output)];
    if (op.kind != BlockOpKind::kRoute && (out.empty() || out.rows() != rows.rows() || out.cols() != cols))
        out = backend_.allocate(rows.rows(), cols);
    const Tensor& x = step.slot(op.inputs[0].slot);
    switch (op.kind) {
        case BlockOpKind::kRmsNorm:
            return backend_.rms_norm(rows, x, step.weights.norms[index], config_.rms_eps, step.residual(op),
                                     out);
        case BlockOpKind::kLinear: {
            const bool swapped = static_cast<int>(index) == step.swapped_op;
            return backend_.linear(rows, x, swapped ? *step.swapped : *step.weights.linears[index],
                                   step.residual(op), out);
        }
        case BlockOpKind::kAttention:
            return attend(step, op, out);
        case BlockOpKind::kGated:
            return backend_.gated(rows, step.columns(op.inputs[0]), step.columns(op.inputs[1]),
                                  step.weights.program->activation, out);
        case BlockOpKind::kRoute:
            step.own.routing(op.output) = backend_.route(rows, x, step.weights.program->route);
            return;
        case BlockOpKind::kGather: {
            const int routing = op.inputs[1].slot;
            const auto& experts = step.owner(routing).routing(routing).experts;
            return backend_.gather_rows(x, experts[op.expert].rows, out);
        }
        case BlockOpKind::kCombine:
            return combine(step, op, out);
        case BlockOpKind::kAddGated:
            return backend_.add_gated(rows, x, step.slot(op.inputs[1].slot), *step.residual(op), out);
    }
}

}  // namespace assay
