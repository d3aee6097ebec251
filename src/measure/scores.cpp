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

void append(const std::vector<double>& values, std::vector<double>& all) {
    all.insert(all.end(), values.begin(), values.end());
}

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

// The output layers of the runs: each one that is different is read and packed once per part.
class Heads {
  public:
    Heads(const Engine& engine, const FinalStates& reference, std::span<const FinalStates* const> variants)
        : engine_(engine), vocabulary_(reference.head.model->config().vocabulary) {
        add(reference.head);
        for (const FinalStates* v : variants) add(v->head);
    }

    std::int64_t part_tokens() const {
        return head_part_tokens(*heads_[0].model, engine_.backend, std::ssize(heads_),
                                engine_.limits.head_bytes);
    }
    std::int64_t vocabulary() const { return vocabulary_; }

    void load(std::int64_t first) {
        packed_.clear();
        for (const HeadReader& reader : readers_)
            packed_.push_back(reader.part(first, std::min(part_tokens(), vocabulary_ - first)));
    }
    const compute::PackedHead* of(std::size_t run) const { return packed_[of_run_[run]].get(); }

  private:
    void add(const RunHead& head) {
        const auto found = std::find(heads_.begin(), heads_.end(), head);
        of_run_.push_back(static_cast<std::size_t>(found - heads_.begin()));
        if (found != heads_.end()) return;
        heads_.push_back(head);
        readers_.emplace_back(head, engine_.backend);
    }

    const Engine& engine_;
    std::int64_t vocabulary_;
    std::vector<RunHead> heads_;
    std::vector<HeadReader> readers_;
    std::vector<std::size_t> of_run_;
    std::vector<std::unique_ptr<compute::PackedHead>> packed_;
};

// Variants [first, first + variants.size()) of one chunk, which share the reference's logits.
struct Part {
    std::size_t chunk = 0;
    std::size_t first = 0;
    std::span<const FinalStates* const> variants;
    std::unique_ptr<compute::TokenScorer> scorer;
};

std::vector<Part> make_parts(const Engine& engine, std::span<const TokenChunk> chunks,
                             std::span<const FinalStates* const> variants) {
    std::vector<Part> parts;
    for (std::size_t c = 0; c < chunks.size(); ++c) {
        for (std::size_t first = 0; first == 0 || first < variants.size(); first += kVariantsPerCall) {
            const auto own = variants.subspan(first, std::min(kVariantsPerCall, variants.size() - first));
            parts.push_back(
                {c, first, own,
                 engine.backend.make_scorer(chunks[c].scored, own.size() + 1, chunks[c].targets)});
        }
    }
    return parts;
}

void feed(const Part& part, const FinalStates& reference, const Heads& heads) {
    std::vector<compute::HeadInput> inputs{{&reference.chunks[part.chunk], heads.of(0)}};
    for (std::size_t i = 0; i < part.variants.size(); ++i)
        inputs.push_back({&part.variants[i]->chunks[part.chunk], heads.of(part.first + i + 1)});
    part.scorer->add(inputs);
}

// The reference's own scores are kept once, from its chunk's first part.
void keep_scores(const Part& part, const TokenChunk& chunk, bool keep_tokens, std::vector<RunScores>& runs) {
    const auto scores = part.scorer->finish();
    for (std::size_t i = part.first == 0 ? 0 : 1; i < scores.size(); ++i) {
        RunScores& run = runs[i == 0 ? 0 : part.first + i];
        add_blocks(chunk, scores[0], scores[i], i, run.blocks);
        if (keep_tokens) {
            append(scores[i].nll, run.token_nll);
            append(scores[i].kl, run.token_kl);
        }
    }
}

}  // namespace

std::int64_t head_part_tokens(const Model& model, const compute::Backend& backend, std::int64_t heads,
                              std::int64_t head_bytes) {
    constexpr std::int64_t kPart = compute::Backend::kHeadPartTokens;
    const std::int64_t bytes = model.config().hidden * backend.element_bytes() * kPart;
    const std::int64_t parts = std::max<std::int64_t>(1, head_bytes / (bytes * (heads + 1)));
    return std::min(model.config().vocabulary, parts * kPart);
}

std::vector<RunScores> score_runs(const Engine& engine, std::span<const TokenChunk> chunks,
                                  const FinalStates& reference, std::span<const FinalStates* const> variants,
                                  bool keep_tokens) {
    Heads heads(engine, reference, variants);
    std::vector<Part> parts = make_parts(engine, chunks, variants);
    const auto work = [&](const Part& part) {
        return static_cast<std::uint64_t>(chunks[part.chunk].scored.rows()) * (part.variants.size() + 1);
    };
    std::uint64_t total = 0, rounds = 0;
    for (std::int64_t first = 0; first < heads.vocabulary(); first += heads.part_tokens()) ++rounds;
    for (const Part& part : parts) total += work(part) * rounds;
    engine.progress.begin("scoring", total);
    for (std::int64_t first = 0; first < heads.vocabulary(); first += heads.part_tokens()) {
        heads.load(first);
        for (const Part& part : parts) {
            feed(part, reference, heads);
            engine.progress.advance(work(part));
            engine.cancel.check();
        }
    }
    std::vector<RunScores> runs(variants.size() + 1);
    for (Part& part : parts) {
        keep_scores(part, chunks[part.chunk], keep_tokens, runs);
        part.scorer.reset();
    }
    engine.progress.end();
    return runs;
}

RunScores baseline_scores(const TokenChunk& chunk, const compute::TokenScores& scores) {
    RunScores own;
    add_blocks(chunk, scores, scores, 0, own.blocks);
    return own;
}

void append_numbers(const RunScores& scores, std::vector<double>& numbers) {
    numbers.push_back(static_cast<double>(scores.blocks.size()));
    for (const BlockSums& b : scores.blocks) {
        const double block[] = {static_cast<double>(b.window), static_cast<double>(b.tokens), b.nll_sum,
                                b.kl_sum, static_cast<double>(b.top1)};
        numbers.insert(numbers.end(), std::begin(block), std::end(block));
    }
    append_list(scores.token_nll, numbers);
    append_list(scores.token_kl, numbers);
}

RunScores read_scores(NumberReader& numbers) {
    RunScores scores;
    for (std::int64_t left = numbers.next_count(); left > 0; --left) {
        BlockSums& b = scores.blocks.emplace_back();
        b.window = numbers.next_count();
        b.tokens = numbers.next_count();
        b.nll_sum = numbers.next();
        b.kl_sum = numbers.next();
        b.top1 = numbers.next_count();
    }
    scores.token_nll = numbers.next_list();
    scores.token_kl = numbers.next_list();
    return scores;
}

void append_scores(const RunScores& group, std::int64_t first_window, RunScores& all) {
    for (BlockSums block : group.blocks) {
        block.window += first_window;
        all.blocks.push_back(block);
    }
    append(group.token_nll, all.token_nll);
    append(group.token_kl, all.token_kl);
}

}  // namespace assay
