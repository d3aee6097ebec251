#include "model/token_chunks.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

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

TokenChunk make_chunk(std::span<const EvaluationWindow> windows, std::int64_t first) {
    std::vector<TokenWindow> tokens;
    std::vector<std::int64_t> rows, scored;
    std::vector<std::int32_t> targets;
    for (const EvaluationWindow& window : windows) {
        check(window);
        tokens.push_back(window.tokens);
        rows.push_back(length(window));
        scored.push_back(length(window) - 1 - window.context);
        targets.insert(targets.end(), window.tokens.begin() + window.context + 1, window.tokens.end());
    }
    return {first, std::move(tokens), compute::Batch(rows), compute::Batch(scored), std::move(targets)};
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
            longest = std::max(longest, chunk.rows.window_rows(w));
    }
    return longest;
}

std::vector<std::int64_t> scored_rows(const TokenChunk& chunk) {
    std::vector<std::int64_t> rows;
    for (std::int64_t w = 0; w < chunk.rows.windows(); ++w) {
        const std::int64_t scored = chunk.scored.window_rows(w);
        const std::int64_t first = chunk.rows.window_first_row(w) + chunk.rows.window_rows(w) - 1 - scored;
        for (std::int64_t r = 0; r < scored; ++r) rows.push_back(first + r);
    }
    return rows;
}

std::vector<EvaluationWindow> with_context(std::span<const TokenWindow> windows, std::int64_t context) {
    std::vector<EvaluationWindow> all;
    for (const TokenWindow& tokens : windows) all.push_back({tokens, context});
    return all;
}

std::vector<TokenChunk> make_chunks(std::span<const EvaluationWindow> windows, std::int64_t max_rows) {
    std::vector<TokenChunk> chunks;
    std::size_t begin = 0;
    while (begin < windows.size()) {
        std::size_t end = begin + 1;
        std::int64_t rows = length(windows[begin]);
        while (end < windows.size() && rows + length(windows[end]) <= max_rows)
            rows += length(windows[end++]);
        chunks.push_back(make_chunk(windows.subspan(begin, end - begin), static_cast<std::int64_t>(begin)));
        begin = end;
    }
    return chunks;
}

std::vector<TokenChunk> make_chunks(std::span<const TokenWindow> windows, std::int64_t context,
                                    std::int64_t max_rows) {
    return make_chunks(with_context(windows, context), max_rows);
}

}  // namespace assay
