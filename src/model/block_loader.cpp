#include "model/block_loader.h"

namespace assay {

compute::Tensor load_norm(const Model& model, compute::Backend& backend, const std::string& name) {
    std::vector<float> values = read_vector(model.weights(), name + ".weight");
    for (float& v : values) v += static_cast<float>(model.config().norm_offset);
    const auto n = static_cast<std::int64_t>(values.size());
    compute::Tensor row = backend.allocate(1, n);
    backend.upload(MatrixView<const float>(values.data(), 1, n), row);
    return row;
}

std::vector<float> BlockLoader::bias_of(const LinearItem& item) const {
    if (!model_.block(item.block).ops[static_cast<std::size_t>(item.op)].bias) return {};
    return read_vector(model_.weights(), item.name + ".bias");
}

std::unique_ptr<compute::PackedLinear> BlockLoader::load_linear(const LinearItem& item,
                                                                const WeightOverlay* overlay) const {
    return pack_operation(model_, engine_.backend, item, overlay, bias_of(item));
}

void BlockLoader::load_operand(std::int64_t block, std::size_t index, BlockWeights& weights) const {
    const BlockOp& op = weights.program->ops[index];
    if (op.kind == BlockOpKind::kLinear)
        weights.linears[index] = load_linear(model_.item_of(block, index), options_.overlay);
    if (op.kind == BlockOpKind::kRmsNorm)
        weights.norms[index] = load_norm(model_, engine_.backend, Model::block_weight_name(block, op.weight));
}

ReversibleBlock BlockLoader::load_reversible(std::int64_t block) const {
    ReversibleBlock loaded;
    loaded.weights.program = &model_.block(block);
    const auto& ops = loaded.weights.program->ops;
    loaded.weights.linears.resize(ops.size());
    loaded.weights.norms.resize(ops.size());
    loaded.transposed.resize(ops.size());
    engine_.pool.for_each(static_cast<std::int64_t>(ops.size()), [&](std::int64_t task) {
        const auto i = static_cast<std::size_t>(task);
        if (ops[i].kind != BlockOpKind::kLinear) return load_operand(block, i, loaded.weights);
        const LinearItem& item = model_.item_of(block, i);
        const Matrix<float> w = read_weight(model_.weights(), item.name);
        loaded.weights.linears[i] = engine_.backend.pack_linear(w.view(), bias_of(item));
        loaded.transposed[i] = engine_.backend.pack_transposed(w.view());
    });
    return loaded;
}

BlockWeights BlockLoader::load_some(std::int64_t block, std::span<const std::size_t> ops) const {
    BlockWeights weights;
    weights.program = &model_.block(block);
    weights.linears.resize(weights.program->ops.size());
    weights.norms.resize(weights.program->ops.size());
    engine_.pool.for_each(std::ssize(ops), [&](std::int64_t i) {
        load_operand(block, ops[static_cast<std::size_t>(i)], weights);
    });
    return weights;
}

LoadedBlock BlockLoader::load(std::int64_t block) const {
    LoadedBlock loaded;
    loaded.weights.program = &model_.block(block);
    const std::size_t ops = loaded.weights.program->ops.size();
    loaded.weights.linears.resize(ops);
    loaded.weights.norms.resize(ops);
    for (std::size_t f = 0; f < options_.forks.size(); ++f) {
        if (model_.items()[options_.forks[f].item].block == block) loaded.starting.push_back(f);
    }
    loaded.swapped.resize(loaded.starting.size());
    const std::size_t count = ops + loaded.starting.size();
    engine_.pool.for_each(static_cast<std::int64_t>(count), [&](std::int64_t task) {
        const auto i = static_cast<std::size_t>(task);
        if (i < ops) return load_operand(block, i, loaded.weights);
        const Fork& fork = options_.forks[loaded.starting[i - ops]];
        loaded.swapped[i - ops] = load_linear(model_.items()[fork.item], fork.overlay);
    });
    return loaded;
}

}  // namespace assay
