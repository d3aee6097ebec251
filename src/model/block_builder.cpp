#include "model/block_builder.h"

namespace assay {

using enum BlockOpKind;

BlockBuilder::BlockBuilder(const ModelConfig& config, std::int64_t layer) : config_(config) {
    const LayerConfig& own = config.layer[static_cast<std::size_t>(layer)];
    program_.slot_cols = {config.hidden};
    program_.window = own.window;
    program_.local_rope = own.local_rope;
    program_.activation = config.activation;
    program_.route = {config.experts.per_token, config.experts.renormalise};
}

int BlockBuilder::add(BlockOp op, std::int64_t cols) {
    op.output = static_cast<int>(program_.slot_cols.size());
    program_.slot_cols.push_back(cols);
    program_.ops.push_back(std::move(op));
    return program_.ops.back().output;
}

int BlockBuilder::norm(int x, const std::string& weight, int residual) {
    return add(
        {.kind = kRmsNorm, .inputs = {x}, .weight = weight, .norm_cols = cols(x), .residual = residual},
        cols(x));
}

int BlockBuilder::head_norm(int x, const std::string& weight, std::int64_t run) {
    return add({.kind = kRmsNorm, .inputs = {x}, .weight = weight, .norm_cols = run}, cols(x));
}

int BlockBuilder::linear(int x, const std::string& weight, std::int64_t out, bool bias, int residual) {
    return add({.kind = kLinear, .inputs = {x}, .weight = weight, .bias = bias, .residual = residual}, out);
}

int BlockBuilder::attention(const SlotPart& q, const SlotPart& k, const SlotPart& v) {
    return add({.kind = kAttention, .inputs = {q, k, v}}, config_.heads * config_.head_dim);
}

int BlockBuilder::gated(const SlotPart& gate, const SlotPart& up, std::int64_t width) {
    return add({.kind = kGated, .inputs = {gate, up}}, width);
}

int BlockBuilder::mlp(int x, const std::string& prefix, std::int64_t intermediate, bool bias, int residual) {
    const int gate = linear(x, prefix + ".gate_proj", intermediate, bias);
    const int up = linear(x, prefix + ".up_proj", intermediate, bias);
    return linear(gated(gate, up, intermediate), prefix + ".down_proj", config_.hidden, bias, residual);
}

int BlockBuilder::experts(int x, const std::string& prefix, const ExpertNames& names, int residual) {
    const ExpertsConfig& experts = config_.experts;
    const int logits =
        add({.kind = kLinear, .inputs = {x}, .weight = prefix + ".gate", .router = true}, experts.count);
    const int routing = add({.kind = kRoute, .inputs = {logits}}, 1);
    std::vector<SlotPart> outputs{routing};
    for (std::int64_t e = 0; e < experts.count; ++e) {
        const std::string name = prefix + ".experts." + std::to_string(e) + ".";
        const auto on_rows = [&](BlockOp op, std::int64_t width) {
            op.routing = routing;
            op.expert = static_cast<std::size_t>(e);
            return add(std::move(op), width);
        };
        const int own = on_rows({.kind = kGather, .inputs = {x, routing}}, config_.hidden);
        const int gate =
            on_rows({.kind = kLinear, .inputs = {own}, .weight = name + names.gate}, experts.intermediate);
        const int up =
            on_rows({.kind = kLinear, .inputs = {own}, .weight = name + names.up}, experts.intermediate);
        const int middle = on_rows({.kind = kGated, .inputs = {gate, up}}, experts.intermediate);
        outputs.emplace_back(
            on_rows({.kind = kLinear, .inputs = {middle}, .weight = name + names.down}, config_.hidden));
    }
    if (experts.shared_intermediate > 0) {
        const int shared = mlp(x, prefix + ".shared_expert", experts.shared_intermediate, false);
        const int gate = add(
            {.kind = kLinear, .inputs = {x}, .weight = prefix + ".shared_expert_gate", .router = true}, 1);
        residual = add({.kind = kAddGated, .inputs = {shared, gate}, .residual = residual}, config_.hidden);
    }
    return add({.kind = kCombine, .inputs = std::move(outputs), .residual = residual}, config_.hidden);
}

BlockProgram BlockBuilder::finish(int output) {
    program_.output = output;
    return std::move(program_);
}

}  // namespace assay
