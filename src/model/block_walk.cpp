#include "model/block_walk.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <numeric>
#include <set>
#include <string>
#include <utility>

#include "model/block_loader.h"
#include "model/embedding.h"

namespace assay {
namespace {

std::vector<std::int64_t> rows_of_chunks(std::span<const TokenChunk> chunks) {
    std::vector<std::int64_t> rows;
    for (const TokenChunk& chunk : chunks) rows.push_back(chunk.rows.rows());
    return rows;
}

std::vector<int> slots_read(const BlockOp& op) {
    std::vector<int> slots;
    for (const SlotPart& part : op.inputs) slots.push_back(part.slot);
    if (op.residual >= 0) slots.push_back(op.residual);
    if (op.routing >= 0) slots.push_back(op.routing);
    return slots;
}

std::vector<std::size_t> all_operations(const BlockProgram& program) {
    std::vector<std::size_t> all(program.ops.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    return all;
}

}  // namespace

std::vector<std::size_t> operations_before(const BlockProgram& program,
                                           std::span<const std::size_t> linears) {
    std::set<int> needed;
    for (std::size_t i : linears) {
        const BlockOp& op = program.ops.at(i);
        needed.insert(op.inputs.at(0).slot);
        if (op.routing >= 0) needed.insert(op.routing);
    }
    std::vector<std::size_t> before;
    for (std::size_t i = program.ops.size(); i-- > 0;) {
        if (!needed.contains(program.ops[i].output)) continue;
        before.push_back(i);
        for (int slot : slots_read(program.ops[i])) needed.insert(slot);
    }
    std::reverse(before.begin(), before.end());
    return before;
}

BlockWalk::BlockWalk(const Model& model, const Engine& engine, std::span<const EvaluationWindow> windows)
    : model_(model),
      engine_(engine),
      chunks_(make_chunks(windows, engine.limits.chunk_rows)),
      runner_(model, engine.backend, longest_window(chunks_)),
      states_(engine.backend, rows_of_chunks(chunks_), model.config().hidden, engine.limits.state_bytes),
      prefetcher_(model) {
    prefetcher_.start(0);
    for (std::size_t c = 0; c < chunks_.size(); ++c) {
        compute::Tensor state = embed_chunk(model, engine.backend, chunks_[c], nullptr);
        states_.keep(c, state);
        rows_ += chunks_[c].rows.rows();
    }
    model.weights().release(std::string(kEmbeddingName) + ".weight");
}

void BlockWalk::look(std::span<const std::size_t> linears, const WeightOverlay* overlay,
                     const InputSeen& seen) {
    run(operations_before(model_.block(block_), linears), linears, overlay, seen, false);
}

void BlockWalk::advance(const WeightOverlay* overlay, const InputSeen& seen) {
    const BlockProgram& program = model_.block(block_);
    const std::vector<std::size_t> all = all_operations(program);
    std::vector<std::size_t> linears;
    std::copy_if(all.begin(), all.end(), std::back_inserter(linears),
                 [&](std::size_t i) { return seen && program.ops[i].kind == BlockOpKind::kLinear; });
    run(all, linears, overlay, seen, true);
    for (const std::string& name : block_tensor_names(model_, block_)) model_.weights().release(name);
    ++block_;
}

void BlockWalk::run(std::span<const std::size_t> ops, std::span<const std::size_t> shown,
                    const WeightOverlay* overlay, const InputSeen& seen, bool moves) {
    using Clock = std::chrono::steady_clock;
    engine_.cancel.check();
    const double waited = prefetcher_.wait();
    const auto start = Clock::now();
    const PassOptions options{.overlay = overlay};
    const BlockWeights weights = BlockLoader(model_, engine_, options).load_some(block_, ops);
    if (moves) prefetcher_.start(block_ + 1);
    const auto loaded = Clock::now();
    const BlockProgram& program = model_.block(block_);
    for (std::size_t c = 0; c < chunks_.size(); ++c) {
        const compute::Batch& rows = chunks_[c].rows;
        states_.take(c, slots_[program.input]);
        runner_.run_some(rows, weights, ops, slots_);
        for (std::size_t i : shown) {
            const BlockOp& op = program.ops[i];
            seen(model_.item_of(block_, i), rows_of(op, rows, slots_), slots_[op.inputs[0].slot]);
        }
        if (moves)
            keep_output(c);
        else
            states_.give_back(c, slots_[program.input]);
        engine_.progress.advance(static_cast<std::uint64_t>(rows.rows()));
        engine_.cancel.check();
    }
    if (engine_.meter == nullptr) return;
    const auto end = Clock::now();
    engine_.meter->blocks += 1;
    engine_.meter->disk_seconds += waited;
    engine_.meter->load_seconds += std::chrono::duration<double>(loaded - start).count();
    engine_.meter->compute_seconds += std::chrono::duration<double>(end - loaded).count();
}

// The old state's memory is left for the next output.
void BlockWalk::keep_output(std::size_t chunk) {
    const BlockProgram& program = model_.block(block_);
    compute::Tensor& output = slots_[program.output];
    states_.keep(chunk, output);
    if (output.empty()) std::swap(output, slots_[program.input]);
}

}  // namespace assay
