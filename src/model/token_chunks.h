// The windows of one measurement, grouped into chunks that move through the blocks together.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/evaluation_window.h"
#include "compute/batch.h"

namespace assay {

using TokenWindow = std::vector<std::int32_t>;

// Tokens of the longest window; 1 for none, so that sizes made from it are never empty.
std::int64_t longest_window(std::span<const EvaluationWindow> windows);

// The windows, all with the same context.
std::vector<EvaluationWindow> with_context(std::span<const TokenWindow> windows, std::int64_t context);

// One chunk: whole windows. Rows are positions; a scored row is a position from its window's context on whose
// next token is known.
struct TokenChunk {
    std::int64_t first_window = 0;
    std::vector<TokenWindow> windows;
    compute::Batch rows;                // all positions
    compute::Batch scored;              // scored positions only, window by window
    std::vector<std::int32_t> targets;  // next token of each scored position
};

// Positions of the longest window; 1 for none.
std::int64_t longest_window(std::span<const TokenChunk> chunks);

// The chunk's row of each scored position, in their order.
std::vector<std::int64_t> scored_rows(const TokenChunk& chunk);

// Chunks of whole windows, up to `max_rows` positions each (at least one window). Grouping changes no result.
// Throws InvalidArgument for a negative context and where a window has no scored position (it needs context +
// 2 tokens).
std::vector<TokenChunk> make_chunks(std::span<const EvaluationWindow> windows, std::int64_t max_rows);

// The same for windows that share one context.
std::vector<TokenChunk> make_chunks(std::span<const TokenWindow> windows, std::int64_t context,
                                    std::int64_t max_rows);

}  // namespace assay
