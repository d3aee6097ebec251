#include "model/token_chunks.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace assay {
namespace {

TokenChunk make_chunk(std::span<const TokenWindow> windows, std::int64_t first, std::int64_t context) {
    std::vector<std::int64_t> rows, scored;
    std::vector<std::int32_t> targets;
    for (const TokenWindow& window : windows) {
        const auto tokens = static_cast<std::int64_t>(window.size());
        if (tokens < context + 2) {
            throw InvalidArgument(fmt::format(
                "a window of {} tokens has nothing to score after {} context positions; use longer windows "
                "or a smaller --context",
                tokens, context));
        }
        rows.push_back(tokens);
        scored.push_back(tokens - 1 - context);
        targets.insert(targets.end(), window.begin() + context + 1, window.end());
    }
    return {first,
            {windows.begin(), windows.end()},
            compute::Batch(rows),
            compute::Batch(scored),
            std::move(targets)};
}

}  // namespace

std::int64_t longest_window(std::span<const TokenWindow> windows) {
    std::size_t longest = 1;
    for (const TokenWindow& window : windows) longest = std::max(longest, window.size());
    return static_cast<std::int64_t>(longest);
}

std::vector<TokenChunk> make_chunks(std::span<const TokenWindow> windows, std::int64_t context,
                                    std::int64_t max_rows) {
    if (context < 0) throw InvalidArgument("--context cannot be negative");
    std::vector<TokenChunk> chunks;
    std::size_t begin = 0;
    while (begin < windows.size()) {
        std::size_t end = begin + 1;
        auto rows = static_cast<std::int64_t>(windows[begin].size());
        while (end < windows.size() && rows + static_cast<std::int64_t>(windows[end].size()) <= max_rows) {
            rows += static_cast<std::int64_t>(windows[end++].size());
        }
        chunks.push_back(
            make_chunk(windows.subspan(begin, end - begin), static_cast<std::int64_t>(begin), context));
        begin = end;
    }
    return chunks;
}

}  // namespace assay
