#include "model/pass.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "model/block_loader.h"
#include "model/embedding.h"
#include "model/prefetcher.h"

namespace assay {
namespace {

using compute::Tensor;

class Stopwatch {
  public:
    // Seconds since the last lap, or the beginning.
    double lap() {
        const auto now = std::chrono::steady_clock::now();
        return std::chrono::duration<double>(now - std::exchange(last_, now)).count();
    }

  private:
    std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

void add(const PassMeter& spent, PassMeter& total) {
    total.blocks += spent.blocks;
    total.disk_seconds += spent.disk_seconds;
    total.load_seconds += spent.load_seconds;
    total.compute_seconds += spent.compute_seconds;
}

void release_block(const Model& model, std::int64_t block) {
    for (const std::string& name : block_tensor_names(model, block)) model.weights().release(name);
}

// One run's residual stream on its way through the blocks.
struct Stream {
    std::vector<Tensor> chunks;  // empty tensors until a fork has started
};

class PassRun {
  public:
    PassRun(const Model& model, const Engine& engine, std::span<const TokenChunk> chunks,
            const PassOptions& options)
        : model_(model),
          engine_(engine),
          backend_(engine.backend),
          chunks_(chunks),
          options_(options),
          runner_(model, engine.backend, longest_window(chunks)),
          loader_(model, engine, options),
          prefetcher_(model) {
        fork_streams_.resize(options.forks.size());
        result_.forks.resize(options.forks.size());
        for (Stream& s : fork_streams_) s.chunks.resize(chunks.size());
    }

    PassResult run() {
        begin_progress();
        prefetcher_.start(0);
        embed();
        for (std::int64_t b = 0; b < model_.config().layers; ++b) run_block(b);
        finish();
        engine_.progress.end();
        return std::move(result_);
    }

  private:
    const LinearItem& item(const Fork& fork) const { return model_.items()[fork.item]; }

    // The block after which a fork's state exists; a head's swap has none.
    std::int64_t first_block(const Fork& fork) const {
        if (item(fork).block >= 0) return item(fork).block;
        return changes_embedding(item(fork)) ? 0 : model_.config().layers;
    }

    void begin_progress() {
        std::uint64_t rows = 0, blocks = static_cast<std::uint64_t>(model_.config().layers);
        for (const TokenChunk& chunk : chunks_) rows += static_cast<std::uint64_t>(chunk.rows.rows());
        for (const Fork& fork : options_.forks)
            blocks += static_cast<std::uint64_t>(model_.config().layers - first_block(fork));
        engine_.progress.begin(options_.forks.empty() ? "forward" : "swaps", rows * blocks);
    }

    void done(const TokenChunk& chunk) {
        engine_.progress.advance(static_cast<std::uint64_t>(chunk.rows.rows()));
        engine_.cancel.check();
    }

    // Token embeddings of every chunk, and those of forks that change the embedding.
    void embed() {
        const LinearItem& item = model_.embedding_item();
        for (std::size_t f = 0; f < options_.forks.size(); ++f) {
            if (!changes_embedding(this->item(options_.forks[f]))) continue;
            const Matrix<float> table = treated_weight(model_, item, options_.forks[f].overlay);
            for (std::size_t c = 0; c < chunks_.size(); ++c)
                fork_streams_[f].chunks[c] = embed_chunk(model_, backend_, chunks_[c], &table);
        }
        Matrix<float> table;
        const bool treated = options_.overlay != nullptr && options_.overlay->treats(item);
        if (treated) table = treated_weight(model_, item, options_.overlay);
        for (const TokenChunk& chunk : chunks_) {
            reference_.chunks.push_back(embed_chunk(model_, backend_, chunk, treated ? &table : nullptr));
            if (options_.tap != nullptr) options_.tap->block(-1, chunk, reference_.chunks.back());
        }
        model_.weights().release(std::string(kEmbeddingName) + ".weight");
    }

    void run_block(std::int64_t block) {
        engine_.cancel.check();
        PassMeter spent{.blocks = 1, .disk_seconds = prefetcher_.wait()};
        Stopwatch watch;
        prefetcher_.start(block + 1);
        const LoadedBlock loaded = loader_.load(block);
        release_block(model_, block);
        spent.load_seconds = watch.lap();
        for (std::size_t c = 0; c < chunks_.size(); ++c) {
            const TokenChunk& chunk = chunks_[c];
            base_[model_.block(block).input] = std::move(reference_.chunks[c]);
            run_reference(block, chunk, loaded);
            done(chunk);
            advance_forks(block, c, loaded);
            reference_.chunks[c] = take_output(block, base_);
        }
        spent.compute_seconds = watch.lap();
        if (engine_.meter != nullptr) add(spent, *engine_.meter);
    }

    // Moves the new state out and leaves the old one's memory for the next output.
    Tensor take_output(std::int64_t block, Activations& slots) {
        const BlockProgram& program = model_.block(block);
        Tensor state = std::move(slots[program.output]);
        slots[program.output] = std::move(slots[program.input]);
        return state;
    }

    void run_reference(std::int64_t block, const TokenChunk& chunk, const LoadedBlock& loaded) {
        const auto show = [&](std::size_t op) { show_operation(block, chunk, op); };
        if (options_.residuals_apart) {
            runner_.run(chunk.rows, loaded.weights, base_, show);
        } else {
            runner_.run(chunk.rows, loaded.weights, base_);
            for (std::size_t op = 0; op < model_.block(block).ops.size(); ++op) show(op);
        }
        if (options_.tap != nullptr) options_.tap->block(block, chunk, base_[model_.block(block).output]);
    }

    void show_operation(std::int64_t block, const TokenChunk& chunk, std::size_t index) {
        if (options_.tap == nullptr) return;
        const BlockOp& op = model_.block(block).ops[index];
        if (op.kind == BlockOpKind::kRoute) options_.tap->routed(op.output, base_.routing(op.output));
        if (op.kind == BlockOpKind::kLinear) {
            options_.tap->linear(model_.item_of(block, index), rows_of(op, chunk.rows, base_),
                                 base_[op.inputs[0].slot], base_[op.output]);
        }
    }

    void advance_forks(std::int64_t block, std::size_t c, const LoadedBlock& loaded) {
        const TokenChunk& chunk = chunks_[c];
        const BlockProgram& program = model_.block(block);
        for (std::size_t f = 0; f < options_.forks.size(); ++f) {
            Tensor& state = fork_streams_[f].chunks[c];
            if (state.empty()) continue;
            scratch_[program.input] = std::move(state);
            runner_.run(chunk.rows, loaded.weights, scratch_);
            record_routes(block, f, chunk);
            state = take_output(block, scratch_);
            record_propagation(block, f, chunk, state);
        }
        for (std::size_t s = 0; s < loaded.starting.size(); ++s) {
            const std::size_t f = loaded.starting[s];
            const int op = item(options_.forks[f]).op;
            if (const auto slot = program.routing()) scratch_.routing(*slot) = base_.routing(*slot);
            runner_.run_swapped(chunk.rows, loaded.weights, base_, op, *loaded.swapped[s], scratch_);
            record_routes(block, f, chunk);
            record_output_error(f, chunk, program.ops[static_cast<std::size_t>(op)]);
            fork_streams_[f].chunks[c] = std::move(scratch_[program.output]);
            record_propagation(block, f, chunk, fork_streams_[f].chunks[c]);
        }
    }

    void record_propagation(std::int64_t block, std::size_t f, const TokenChunk& chunk, const Tensor& state) {
        auto& blocks = result_.forks[f].propagation;
        const auto index = static_cast<std::size_t>(block - first_block(options_.forks[f]));
        if (blocks.size() <= index) blocks.resize(index + 1);
        const auto sums = backend_.squared_error(chunk.rows, base_[model_.block(block).output], state);
        blocks[index].insert(blocks[index].end(), sums.begin(), sums.end());
        done(chunk);
    }

    // Of the fork whose slots are in scratch_.
    void record_routes(std::int64_t block, std::size_t f, const TokenChunk& chunk) {
        const auto slot = model_.block(block).routing();
        if (!slot) return;
        auto& blocks = result_.forks[f].changed_routes;
        const auto index = static_cast<std::size_t>(block - first_block(options_.forks[f]));
        if (blocks.size() <= index) blocks.resize(index + 1);
        const auto counts =
            compute::changed_routes(chunk.rows, base_.routing(*slot), scratch_.routing(*slot));
        blocks[index].insert(blocks[index].end(), counts.begin(), counts.end());
    }

    // ‖ΔY‖² from both runs' outputs (a residual cancels), ‖Y‖² from the reference's without its residual.
    void record_output_error(std::size_t f, const TokenChunk& chunk, const BlockOp& op) {
        const Tensor& reference = base_[op.output];
        const compute::Batch& rows = rows_of(op, chunk.rows, base_);
        auto sums = backend_.squared_error(rows, reference, scratch_[op.output]);
        if (op.residual >= 0) {
            const auto own = backend_.squared_error(rows, base_[op.residual], reference);
            for (std::size_t w = 0; w < sums.size(); ++w) sums[w].reference = own[w].error;
        }
        auto& all = result_.forks[f].output_error;
        all.insert(all.end(), sums.begin(), sums.end());
    }

    void finish() {
        const Tensor norm = load_norm(model_, backend_, kFinalNormName);
        result_.reference.head = run_head(model_, options_.overlay);
        for (std::size_t c = 0; c < chunks_.size(); ++c) {
            result_.reference.chunks.push_back(final_states(chunks_[c], norm, reference_.chunks[c]));
        }
        for (std::size_t f = 0; f < options_.forks.size(); ++f) {
            const Fork& fork = options_.forks[f];
            FinalStates& states = result_.forks[f].states;
            states.head = changes_head(item(fork)) ? run_head(model_, fork.overlay) : result_.reference.head;
            for (std::size_t c = 0; c < chunks_.size(); ++c) {
                const Tensor& own = fork_streams_[f].chunks[c];
                states.chunks.push_back(
                    final_states(chunks_[c], norm, own.empty() ? reference_.chunks[c] : own));
                fork_streams_[f].chunks[c] = Tensor();
            }
        }
    }

    // The scored positions of a chunk, normalised.
    Tensor final_states(const TokenChunk& chunk, const Tensor& norm, const Tensor& state) {
        if (scored_.empty() || scored_.rows() != chunk.scored.rows())
            scored_ = backend_.allocate(chunk.scored.rows(), state.cols());
        backend_.gather_rows(state, chunk.scored_rows, scored_);
        Tensor normed = backend_.allocate(chunk.scored.rows(), state.cols());
        backend_.rms_norm(chunk.scored, scored_, norm, model_.config().rms_eps, nullptr, normed);
        return normed;
    }

    const Model& model_;
    const Engine& engine_;
    compute::Backend& backend_;
    std::span<const TokenChunk> chunks_;
    const PassOptions& options_;
    BlockRunner runner_;
    BlockLoader loader_;
    Prefetcher prefetcher_;
    Activations base_;     // slots of the reference run, kept while forks of the same chunk use them
    Activations scratch_;  // slots of the fork that is running
    Stream reference_;
    std::vector<Stream> fork_streams_;
    Tensor scored_;
    PassResult result_;
};

}  // namespace

PassResult run_pass(const Model& model, const Engine& engine, std::span<const TokenChunk> chunks,
                    const PassOptions& options) {
    if (options.residuals_apart && !options.forks.empty())
        throw InvalidArgument("run_pass: forks round like a run whose residuals are not added apart");
    return PassRun(model, engine, chunks, options).run();
}

std::int64_t pass_state_bytes(const Model& model, const compute::Backend& backend, std::int64_t tokens,
                              std::int64_t runs) {
    // A run's state and its final, normalised copy exist together for a moment: two each.
    return 2 * runs * tokens * model.config().hidden * backend.element_bytes();
}

}  // namespace assay
