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
    std::vector<TokenWindow> windows;       // of `rows`: whole ones, or the parts of windows that begin alike
    compute::Batch rows;                    // all positions
    compute::Batch scored;                  // scored positions only, window by window
    std::vector<std::int32_t> targets;      // next token of each scored position
    std::vector<std::int64_t> scored_rows;  // the row of each scored position
};

// Positions of the longest window; 1 for none.
std::int64_t longest_window(std::span<const TokenChunk> chunks);

// Are the rows that windows of a chunk begin with in common computed once? No scored number changes a bit;
// taps see shared rows once.
enum class Prefixes { kSeparate, kShared };

// Rows that each window has in common with the one before it where prefixes are shared; empty where they are
// separate.
std::vector<std::int64_t> shared_rows(std::span<const EvaluationWindow> windows, Prefixes prefixes);

// Windows [first, first + count) that make a chunk of so many rows.
struct ChunkRun {
    std::size_t first = 0, count = 0;
    std::int64_t rows = 0;
};

// Chunks of whole windows, up to `max_rows` rows each (at least one window). `shared`: their shared_rows().
std::vector<ChunkRun> plan_chunks(std::span<const EvaluationWindow> windows,
                                  std::span<const std::int64_t> shared, std::int64_t max_rows);

// The chunks themselves. Grouping changes no result. Throws InvalidArgument for a negative context and where
// a window has no scored position (it needs context + 2 tokens).
std::vector<TokenChunk> make_chunks(std::span<const EvaluationWindow> windows, std::int64_t max_rows,
                                    Prefixes prefixes = Prefixes::kSeparate);

// The same for windows that share one context.
std::vector<TokenChunk> make_chunks(std::span<const TokenWindow> windows, std::int64_t context,
                                    std::int64_t max_rows);

}  // namespace assay
