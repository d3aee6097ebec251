#include "measure/scores.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace assay {
namespace {

// So many share one computation of the reference's logits: progress and interrupts come through at least this
// often.
constexpr std::size_t kVariantsPerCall = 32;

void expect_finite(const compute::TokenScores& scores, std::size_t row, std::size_t run, std::int64_t window,
                   std::int64_t position) {
    if (std::isfinite(scores.nll[row]) && std::isfinite(scores.kl[row])) return;
    throw NumericError(fmt::format(
        "the {} gives no finite probability in window {}, scored position {}: activations overflow or the "
        "weights are damaged; `assay inspect` lists suspicious tensors",
        run == 0 ? "model" : "treated model", window, position));
}

// Adds one chunk's rows of one run to its blocks.
void add_blocks(const TokenChunk& chunk, const compute::TokenScores& reference,
                const compute::TokenScores& own, std::size_t run, std::vector<BlockSums>& blocks) {
    for (std::int64_t w = 0; w < chunk.scored.windows(); ++w) {
        const std::int64_t window = chunk.first_window + w;
        for (std::int64_t r = 0; r < chunk.scored.window_rows(w); ++r) {
            if (r % kBlockPositions == 0) blocks.push_back({.window = window});
            const auto row = static_cast<std::size_t>(chunk.scored.window_first_row(w) + r);
            expect_finite(own, row, run, window, r);
            BlockSums& block = blocks.back();
            ++block.tokens;
            block.nll_sum += own.nll[row];
            block.kl_sum += own.kl[row];
            block.top1 += own.top1[row] == reference.top1[row] ? 1 : 0;
        }
    }
}

// Scores variants [first, first + part.size()) of one chunk; the reference's own scores are kept once.
void score_part(const Engine& engine, const TokenChunk& chunk, std::size_t c, const FinalStates& reference,
                std::span<const FinalStates* const> part, std::size_t first, bool keep_token_kl,
                std::vector<RunScores>& runs) {
    std::vector<compute::HeadInput> inputs{{&reference.chunks[c], reference.head.get()}};
    for (const FinalStates* v : part) inputs.push_back({&v->chunks[c], v->head.get()});
    const auto scores = engine.backend.score_tokens(chunk.scored, inputs, chunk.targets);
    for (std::size_t i = first == 0 ? 0 : 1; i < inputs.size(); ++i) {
        RunScores& run = runs[i == 0 ? 0 : first + i];
        add_blocks(chunk, scores[0], scores[i], i, run.blocks);
        if (keep_token_kl) run.token_kl.insert(run.token_kl.end(), scores[i].kl.begin(), scores[i].kl.end());
    }
}

}  // namespace

std::vector<RunScores> score_runs(const Engine& engine, std::span<const TokenChunk> chunks,
                                  const FinalStates& reference, std::span<const FinalStates* const> variants,
                                  bool keep_token_kl) {
    std::vector<RunScores> runs(variants.size() + 1);
    std::uint64_t total = 0;
    for (const TokenChunk& chunk : chunks)
        total += static_cast<std::uint64_t>(chunk.scored.rows()) * runs.size();
    engine.progress.begin("scoring", total);
    for (std::size_t c = 0; c < chunks.size(); ++c) {
        for (std::size_t first = 0; first == 0 || first < variants.size(); first += kVariantsPerCall) {
            const auto part = variants.subspan(first, std::min(kVariantsPerCall, variants.size() - first));
            score_part(engine, chunks[c], c, reference, part, first, keep_token_kl, runs);
            engine.progress.advance(static_cast<std::uint64_t>(chunks[c].scored.rows()) *
                                    (part.size() + (first == 0 ? 1 : 0)));
            engine.cancel.check();
        }
    }
    engine.progress.end();
    return runs;
}

void append_scores(const RunScores& group, std::int64_t first_window, RunScores& all) {
    for (BlockSums block : group.blocks) {
        block.window += first_window;
        all.blocks.push_back(block);
    }
    all.token_kl.insert(all.token_kl.end(), group.token_kl.begin(), group.token_kl.end());
}

}  // namespace assay
