#include "model/token_chunks.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "model/prefix_tree.h"

namespace assay {
namespace {

std::int64_t length(const EvaluationWindow& window) {
    return static_cast<std::int64_t>(window.tokens.size());
}

void check(const EvaluationWindow& window) {
    if (window.context < 0) throw InvalidArgument("--context cannot be negative");
    if (length(window) < window.context + 2) {
        throw InvalidArgument(fmt::format(
            "a window of {} tokens has nothing to score after {} context positions; use longer windows "
            "or a smaller --context",
            length(window), window.context));
    }
}

// A row for each token, window by window.
TokenChunk separate_chunk(std::span<const EvaluationWindow> windows) {
    std::vector<TokenWindow> tokens;
    std::vector<std::int64_t> rows, scored_rows;
    std::int64_t first_row = 0;
    for (const EvaluationWindow& window : windows) {
        tokens.push_back(window.tokens);
        rows.push_back(length(window));
        for (std::int64_t t = window.context; t + 1 < length(window); ++t)
            scored_rows.push_back(first_row + t);
        first_row += length(window);
    }
    return {0, std::move(tokens), compute::Batch(rows), compute::Batch({}), {}, std::move(scored_rows)};
}

TokenChunk shared_chunk(std::span<const EvaluationWindow> windows) {
    PrefixTree tree = make_prefix_tree(windows);
    std::vector<std::int64_t> rows;
    for (const TokenWindow& part : tree.parts) rows.push_back(static_cast<std::int64_t>(part.size()));
    return {
        0,  std::move(tree.parts),      compute::Batch(std::move(rows), tree.continued), compute::Batch({}),
        {}, std::move(tree.scored_rows)};
}

TokenChunk make_chunk(std::span<const EvaluationWindow> windows, std::size_t first, Prefixes prefixes) {
    TokenChunk chunk = prefixes == Prefixes::kShared ? shared_chunk(windows) : separate_chunk(windows);
    chunk.first_window = static_cast<std::int64_t>(first);
    std::vector<std::int64_t> scored;
    for (const EvaluationWindow& window : windows) {
        scored.push_back(length(window) - 1 - window.context);
        chunk.targets.insert(chunk.targets.end(), window.tokens.begin() + window.context + 1,
                             window.tokens.end());
    }
    chunk.scored = compute::Batch(std::move(scored));
    return chunk;
}

}  // namespace

std::int64_t longest_window(std::span<const EvaluationWindow> windows) {
    std::int64_t longest = 1;
    for (const EvaluationWindow& window : windows) longest = std::max(longest, length(window));
    return longest;
}

std::int64_t longest_window(std::span<const TokenChunk> chunks) {
    std::int64_t longest = 1;
    for (const TokenChunk& chunk : chunks) {
        for (std::int64_t w = 0; w < chunk.rows.windows(); ++w)
            longest = std::max(longest, chunk.rows.positions(w));
    }
    return longest;
}

std::vector<EvaluationWindow> with_context(std::span<const TokenWindow> windows, std::int64_t context) {
    std::vector<EvaluationWindow> all;
    for (const TokenWindow& tokens : windows) all.push_back({tokens, context});
    return all;
}

std::vector<std::int64_t> shared_rows(std::span<const EvaluationWindow> windows, Prefixes prefixes) {
    if (prefixes == Prefixes::kSeparate) return {};
    std::vector<std::int64_t> shared(windows.size());
    for (std::size_t w = 1; w < windows.size(); ++w) shared[w] = common_rows(windows[w - 1], windows[w]);
    return shared;
}

std::vector<ChunkRun> plan_chunks(std::span<const EvaluationWindow> windows,
                                  std::span<const std::int64_t> shared, std::int64_t max_rows) {
    std::vector<ChunkRun> runs;
    for (std::size_t w = 0; w < windows.size(); ++w) {
        const std::int64_t alone = length(windows[w]) - (shared.empty() ? 0 : 1);
        const std::int64_t added = alone - (shared.empty() ? 0 : shared[w]);
        if (runs.empty() || runs.back().rows + added > max_rows)
            runs.push_back({w, 1, alone});
        else
            runs.back() = {runs.back().first, runs.back().count + 1, runs.back().rows + added};
    }
    return runs;
}

std::vector<TokenChunk> make_chunks(std::span<const EvaluationWindow> windows, std::int64_t max_rows,
                                    Prefixes prefixes) {
    for (const EvaluationWindow& window : windows) check(window);
    std::vector<TokenChunk> chunks;
    for (const ChunkRun& run : plan_chunks(windows, shared_rows(windows, prefixes), max_rows))
        chunks.push_back(make_chunk(windows.subspan(run.first, run.count), run.first, prefixes));
    return chunks;
}

std::vector<TokenChunk> make_chunks(std::span<const TokenWindow> windows, std::int64_t context,
                                    std::int64_t max_rows) {
    return make_chunks(with_context(windows, context), max_rows);
}

}  // namespace assay
