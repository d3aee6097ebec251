#include "model/reverse_pass.h"

#include <algorithm>

#include "model/block_loader.h"
#include "model/kept_states.h"
#include "model/prefetcher.h"

namespace assay {
namespace {

using compute::Tensor;

constexpr std::int64_t kSlice = compute::Backend::kHeadPartTokens;

std::int64_t slot_columns(const BlockProgram& program, const ExpertsConfig& experts) {
    std::vector<bool> routed(program.slot_cols.size(), false);
    for (const BlockOp& op : program.ops) routed[static_cast<std::size_t>(op.output)] = op.routing >= 0;
    std::int64_t columns = 0, expert_columns = 0;
    for (std::size_t s = 0; s < program.slot_cols.size(); ++s)
        (routed[s] ? expert_columns : columns) += program.slot_cols[s];
    if (experts.count == 0) return columns;
    // Each position goes to some of the experts only.
    return columns + expert_columns / experts.count * experts.per_token;
}

class ReversePass {
  public:
    ReversePass(const Model& model, const Engine& engine, const TokenChunk& chunk, GradientTap& tap)
        : model_(model),
          engine_(engine),
          backend_(engine.backend),
          chunk_(chunk),
          tap_(tap),
          runner_(model, engine.backend, longest_window(std::span(&chunk, 1))),
          gradient_(runner_, engine.backend),
          states_(engine.backend, model.config().layers, chunk.rows.rows(), model.config().hidden,
                  engine.limits.state_bytes) {}

    ReverseResult run(std::span<const double> uniforms, std::int64_t last_block) {
        const Tensor hidden = forward();
        ReverseResult result;
        const HeadReader head(run_head(model_, nullptr), backend_);
        result.scores = score(head, hidden);
        compute::LabelDraws draws{.log_sum = result.scores.log_sum,
                                  .uniform = {uniforms.begin(), uniforms.end()},
                                  .passed = std::vector<double>(uniforms.size(), 0.0),
                                  .labels = std::vector<std::int32_t>(uniforms.size(), -1)};
        Tensor g = through_head(head, hidden, draws);
        g = through_final_norm(g);
        const std::int64_t layers = model_.config().layers;
        engine_.progress.begin("backward", static_cast<std::uint64_t>(layers - last_block));
        for (std::int64_t b = layers; b-- > last_block;) through_block(b, g);
        engine_.progress.end();
        if (last_block == 0) tap_.embedding(g);
        result.labels = std::move(draws.labels);
        return result;
    }

  private:
    // The final hidden states of the scored positions; the blocks' inputs are kept on the way.
    Tensor forward() {
        PassResult pass = run_pass(model_, engine_, std::span(&chunk_, 1), {.tap = &states_});
        return std::move(pass.reference.chunks[0]);
    }

    template <class Work>
    void for_each_slice(const Work& work) {
        const std::int64_t vocabulary = model_.config().vocabulary;
        for (std::int64_t first = 0; first < vocabulary; first += kSlice) {
            work(first, std::min(kSlice, vocabulary - first));
            engine_.cancel.check();
        }
    }

    compute::TokenScores score(const HeadReader& head, const Tensor& hidden) {
        const auto scorer = backend_.make_scorer(chunk_.scored, 1, chunk_.targets);
        for_each_slice([&](std::int64_t first, std::int64_t count) {
            const auto part = head.part(first, count);
            const compute::HeadInput input{&hidden, part.get()};
            scorer->add(std::span(&input, 1));
        });
        return std::move(scorer->finish()[0]);
    }

    // ∂L/∂hidden = Σ over the slices of g_logits · w.
    Tensor through_head(const HeadReader& head, const Tensor& hidden, compute::LabelDraws& draws) {
        Tensor g = backend_.allocate(hidden.rows(), hidden.cols()), g_logits;
        for_each_slice([&](std::int64_t first, std::int64_t count) {
            if (g_logits.empty() || g_logits.cols() != count)
                g_logits = backend_.allocate(hidden.rows(), count);
            const auto part = head.part(first, count);
            backend_.label_gradient(chunk_.scored, {&hidden, part.get()}, draws, g_logits);
            tap_.head(first, hidden, g_logits);
            backend_.linear(chunk_.scored, g_logits, *head.transposed_part(first, count),
                            first == 0 ? nullptr : &g, g);
        });
        return g;
    }

    // From the scored positions to all of them.
    Tensor through_final_norm(const Tensor& g_scored) {
        Tensor state, g_normed = backend_.allocate(chunk_.rows.rows(), g_scored.cols());
        Tensor g = backend_.allocate(g_normed.rows(), g_normed.cols());
        backend_.scatter_rows(g_scored, chunk_.scored_rows, nullptr, g_normed);
        states_.take(model_.config().layers, state);
        backend_.rms_norm_backward(chunk_.rows, state, load_norm(model_, backend_, kFinalNormName),
                                   model_.config().rms_eps, g_normed, nullptr, g);
        return g;
    }

    void through_block(std::int64_t block, Tensor& g) {
        engine_.cancel.check();
        prefetcher_.wait();
        prefetcher_.start(block - 1);
        const PassOptions plain;
        const ReversibleBlock loaded = BlockLoader(model_, engine_, plain).load_reversible(block);
        for (const std::string& name : block_tensor_names(model_, block)) model_.weights().release(name);
        const BlockProgram& program = model_.block(block);
        states_.take(block, slots_[program.input]);
        runner_.run(chunk_.rows, loaded.weights, slots_);
        const auto seen = [&](std::size_t op, const Tensor& input, const Tensor& g_output) {
            const BlockOp& linear = program.ops[op];
            std::span<const std::int64_t> rows;
            if (linear.routing >= 0) rows = slots_.routing(linear.routing).experts[linear.expert].rows;
            tap_.linear(model_.item_of(block, op), rows, input, g_output);
        };
        gradient_.run(chunk_.rows, loaded.weights, loaded.transposed, slots_, seen, g);
        engine_.progress.advance(1);
    }

    const Model& model_;
    const Engine& engine_;
    compute::Backend& backend_;
    const TokenChunk& chunk_;
    GradientTap& tap_;
    BlockRunner runner_;
    BlockGradient gradient_;
    BlockStates states_;
    Prefetcher prefetcher_{model_};
    Activations slots_;
};

}  // namespace

ReverseResult run_reverse_pass(const Model& model, const Engine& engine, const TokenChunk& chunk,
                               std::span<const double> uniforms, GradientTap& tap, std::int64_t last_block) {
    return ReversePass(model, engine, chunk, tap).run(uniforms, last_block);
}

std::int64_t widest_slots(const Model& model) {
    std::int64_t widest = 0;
    for (std::int64_t b = 0; b < model.config().layers; ++b)
        widest = std::max(widest, slot_columns(model.block(b), model.config().experts));
    return widest;
}

std::int64_t reverse_row_bytes(const Model& model, const compute::Backend& backend) {
    return 2 * widest_slots(model) * backend.element_bytes();
}

}  // namespace assay
