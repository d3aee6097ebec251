// Windows: runs of consecutive tokens, each scored by itself; one function for each protocol of evaluation.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/evaluation_window.h"

namespace assay {

// Shorter windows predict nothing.
inline constexpr std::int64_t kMinWindowTokens = 2;

struct WindowOptions {
    std::int64_t window_tokens = 2048;
    std::int64_t max_windows = 0;  // the first so many; 0: all
};

// Each of these throws FormatError for a text that is too short, InvalidArgument for options out of range.

// Window i is ids[L·i, L·(i+1)) for windows of L tokens; the incomplete last one is dropped. Every position
// is scored. Source: the evaluation of GPTQ (Frantar et al. 2022).
std::vector<EvaluationWindow> gptq_windows(std::span<const std::int32_t> ids, const WindowOptions& options);

// The same windows, but each one's first token is replaced by `bos`, where there is one, and only positions
// from ⌊L/2⌋ on are scored: L - 1 - ⌊L/2⌋ of them, 255 of 512. The text needs 2·L tokens, L at least 3.
// Source: llama.cpp, tools/perplexity/perplexity.cpp, perplexity() at commit 050fc7f.
std::vector<EvaluationWindow> llama_cpp_windows(std::span<const std::int32_t> ids,
                                                const WindowOptions& options,
                                                std::optional<std::int32_t> bos);

// Windows of L tokens that begin every `stride` tokens, 1 ≤ stride < L. The first one scores all it can
// predict, every later one only the tokens that no earlier one has seen: its last `stride`, each with at
// least L - stride tokens before it. The last window ends with the text; it begins at a multiple of `stride`
// like the others, so it is shorter and scores fewer. Over all windows every token but the text's first is
// scored exactly once. A text shorter than L is one window. Source: Hugging Face transformers,
// docs/source/en/perplexity.md, "Perplexity of fixed-length models", whose windows and scored tokens these
// are. Its loop weighs the mean of a window's n scored tokens by n - 1; here the mean is over all scored
// tokens alike.
std::vector<EvaluationWindow> sliding_windows(std::span<const std::int32_t> ids, const WindowOptions& options,
                                              std::int64_t stride);

// Windows as a JSON array of arrays of ids; they may differ in length. `what` names the text in errors.
// Throws FormatError for no windows, a window of less than kMinWindowTokens, and ids outside [0,
// vocabulary_size).
std::vector<EvaluationWindow> parse_ids(std::string_view json_text, std::string_view what,
                                        std::int64_t vocabulary_size);

// Do all windows have the same context?
bool share_context(std::span<const EvaluationWindow> windows);

// Hex SHA-256 over each window's length (64 bit) and ids (32 bit), little-endian; where the windows do not
// share one context, then over each window's context (64 bit).
std::string windows_sha256(std::span<const EvaluationWindow> windows);

}  // namespace assay
