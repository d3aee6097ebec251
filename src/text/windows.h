// Windows: runs of consecutive tokens, each scored by itself.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

using Window = std::vector<std::int32_t>;

// Shorter windows predict nothing.
inline constexpr std::int64_t kMinWindowTokens = 2;

struct WindowOptions {
    std::int64_t window_tokens = 2048;
    std::int64_t max_windows = 0;   // 0: all
    std::int64_t first_window = 0;  // windows left out at the start
};

// Window i is ids[L*i, L*(i+1)) for windows of L tokens; the incomplete last one is dropped. Throws
// FormatError for a text of less than one window (or of none behind `first_window`), InvalidArgument for
// options out of range. Source: the evaluation of GPTQ (Frantar et al. 2022).
std::vector<Window> make_windows(std::span<const std::int32_t> ids, const WindowOptions& options);

// Windows as a JSON array of arrays of ids; they may differ in length. `what` names the text in errors.
// Throws FormatError for no windows, a window of less than kMinWindowTokens, and ids outside [0,
// vocabulary_size).
std::vector<Window> parse_ids(std::string_view json_text, std::string_view what,
                              std::int64_t vocabulary_size);

// Hex SHA-256 over each window's length (64 bit) and ids (32 bit), little-endian.
std::string windows_sha256(std::span<const Window> windows);

}  // namespace assay
