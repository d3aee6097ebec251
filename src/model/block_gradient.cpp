#include "model/block_gradient.h"

#include "base/error.h"

namespace assay {

using compute::Tensor;

struct BlockGradient::Step {
    const compute::Batch& batch;
    const BlockWeights& weights;
    const TransposedLinears& transposed;
    const Activations& slots;  // of the forward run
    const LinearGradient& seen;

    const compute::Batch& rows(const BlockOp& op) const { return rows_of(op, batch, slots); }
    compute::Columns columns(const SlotPart& part) const {
        const Tensor& whole = slots[part.slot];
        return part.cols == 0 ? compute::Columns(whole) : compute::Columns(whole, part.first, part.cols);
    }
};

void BlockGradient::run(const compute::Batch& batch, const BlockWeights& weights,
                        const TransposedLinears& transposed, const Activations& slots,
                        const LinearGradient& seen, Tensor& g) {
    const BlockProgram& program = *weights.program;
    slots_.resize(std::max(slots_.size(), program.slot_cols.size()));
    for (Slot& slot : slots_) slot.known = false;
    const Step step{batch, weights, transposed, slots, seen};
    std::swap(at(program.output).values, g);
    at(program.output).known = true;
    for (std::size_t i = program.ops.size(); i-- > 0;) back(step, program.ops[i], i);
    std::swap(at(program.input).values, g);
}

void BlockGradient::back(const Step& step, const BlockOp& op, std::size_t index) {
    if (op.kind == BlockOpKind::kRoute) {
        const int logits = op.inputs[0].slot;
        return backend_.route_backward(step.batch, step.slots[logits], step.weights.program->route,
                                       step.slots.routing(op.output), at(op.output).weights,
                                       only_reader(step, logits));
    }
    if (!at(op.output).known) throw InvalidArgument("a block's operation has a result that nothing reads");
    const Tensor& g_out = at(op.output).values;
    if (op.residual >= 0) add(step, op.residual, g_out);
    switch (op.kind) {
        case BlockOpKind::kRmsNorm:
            return norm(step, op, index, g_out);
        case BlockOpKind::kLinear:
            return linear(step, op, index, g_out);
        case BlockOpKind::kAttention:
            return attention(step, op, g_out);
        case BlockOpKind::kGated:
            return gated(step, op, g_out);
        case BlockOpKind::kGather:
            return gather(step, op, g_out);
        case BlockOpKind::kCombine:
            return combine(step, op, g_out);
        case BlockOpKind::kAddGated: {
            const int x = op.inputs[0].slot, gate = op.inputs[1].slot;
            return backend_.add_gated_backward(step.batch, step.slots[x], step.slots[gate], g_out,
                                               only_reader(step, x), only_reader(step, gate));
        }
        case BlockOpKind::kRoute:
            return;  // above
    }
}

// The slot's gradient as a tensor of the shape of its values.
Tensor& BlockGradient::shaped(const Step& step, int slot) {
    const Tensor& like = step.slots[slot];
    Tensor& values = at(slot).values;
    if (values.empty() || values.rows() != like.rows() || values.cols() != like.cols())
        values = backend_.allocate(like.rows(), like.cols());
    return values;
}

// The same where an operation writes it instead of adding to it, and so must be the slot's only reader.
Tensor& BlockGradient::only_reader(const Step& step, int slot) {
    if (at(slot).known) throw InvalidArgument("a block's slot has more readers than its gradient allows");
    Tensor& values = shaped(step, slot);
    at(slot).known = true;
    return values;
}

void BlockGradient::add(const Step& step, int slot, const Tensor& g) {
    const bool known = at(slot).known;
    Tensor& values = shaped(step, slot);
    if (known)
        backend_.add(values, g, values);
    else
        backend_.copy_rows(g, 0, values, 0, g.rows());
    at(slot).known = true;
}

void BlockGradient::norm(const Step& step, const BlockOp& op, std::size_t index, const Tensor& g_out) {
    const int x = op.inputs[0].slot;
    const Tensor* so_far = base(x);
    backend_.rms_norm_backward(step.rows(op), step.slots[x], step.weights.norms[index], runner_.rms_eps(),
                               g_out, so_far, shaped(step, x));
    at(x).known = true;
}

void BlockGradient::linear(const Step& step, const BlockOp& op, std::size_t index, const Tensor& g_out) {
    const int x = op.inputs[0].slot;
    step.seen(index, step.slots[x], g_out);
    const Tensor* so_far = base(x);
    backend_.linear(step.rows(op), g_out, *step.transposed[index], so_far, shaped(step, x));
    at(x).known = true;
}

// Parts of one fused slot are written side by side: its first part makes the tensor.
compute::TargetColumns BlockGradient::columns(const Step& step, const SlotPart& part) {
    Tensor& whole = part.first == 0 ? only_reader(step, part.slot) : at(part.slot).values;
    return part.cols == 0 ? compute::TargetColumns(whole)
                          : compute::TargetColumns(whole, part.first, part.cols);
}

void BlockGradient::attention(const Step& step, const BlockOp& op, const Tensor& g_out) {
    const auto g_q = columns(step, op.inputs[0]), g_k = columns(step, op.inputs[1]),
               g_v = columns(step, op.inputs[2]);
    backend_.attention_backward(step.batch, step.columns(op.inputs[0]), step.columns(op.inputs[1]),
                                step.columns(op.inputs[2]), runner_.attention_spec(*step.weights.program),
                                step.slots[op.output], g_out, g_q, g_k, g_v);
}

void BlockGradient::gated(const Step& step, const BlockOp& op, const Tensor& g_out) {
    const auto g_gate = columns(step, op.inputs[0]), g_up = columns(step, op.inputs[1]);
    backend_.gated_backward(step.rows(op), step.columns(op.inputs[0]), step.columns(op.inputs[1]),
                            step.weights.program->activation, g_out, g_gate, g_up);
}

void BlockGradient::gather(const Step& step, const BlockOp& op, const Tensor& g_out) {
    const int x = op.inputs[0].slot;
    const auto& experts = step.slots.routing(op.inputs[1].slot).experts;
    const Tensor* so_far = base(x);
    backend_.scatter_rows(g_out, experts[op.expert].rows, so_far, shaped(step, x));
    at(x).known = true;
}

void BlockGradient::combine(const Step& step, const BlockOp& op, const Tensor& g_out) {
    std::vector<const Tensor*> outputs;
    std::vector<Tensor*> g_outputs;
    for (std::size_t i = 1; i < op.inputs.size(); ++i) {
        outputs.push_back(&step.slots[op.inputs[i].slot]);
        g_outputs.push_back(&only_reader(step, op.inputs[i].slot));
    }
    const int routing = op.inputs[0].slot;
    at(routing).weights =
        backend_.combine_experts_backward(step.batch, step.slots.routing(routing), outputs, g_out, g_outputs);
}

}  // namespace assay
