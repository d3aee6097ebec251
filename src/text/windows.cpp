#include "text/windows.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/sha256.h"
#include "container/json.h"

namespace assay {
namespace {

void check_options(const WindowOptions& options) {
    if (options.window_tokens < kMinWindowTokens) {
        throw InvalidArgument(fmt::format("a window of {} tokens is too short: at least {}",
                                          options.window_tokens, kMinWindowTokens));
    }
    if (options.max_windows < 0 || options.first_window < 0) {
        throw InvalidArgument(fmt::format("max_windows ({}) and first_window ({}) must not be negative",
                                          options.max_windows, options.first_window));
    }
}

}  // namespace

std::vector<Window> make_windows(std::span<const std::int32_t> ids, const WindowOptions& options) {
    check_options(options);
    if (ids.empty()) throw FormatError("the text is empty: it has no tokens; give a longer text");
    const std::int64_t available = static_cast<std::int64_t>(ids.size()) / options.window_tokens;
    if (available <= options.first_window) {
        throw FormatError(fmt::format(
            "the text has {} tokens, which is {} windows of {}; needed are {} or more: use smaller "
            "windows (--window) or a longer text",
            ids.size(), available, options.window_tokens, options.first_window + 1));
    }
    const std::int64_t remaining = available - options.first_window;
    const std::int64_t count =
        options.max_windows == 0 ? remaining : std::min(remaining, options.max_windows);
    std::vector<Window> windows;
    for (std::int64_t i = options.first_window; i < options.first_window + count; ++i) {
        const auto part = ids.subspan(i * options.window_tokens, options.window_tokens);
        windows.emplace_back(part.begin(), part.end());
    }
    return windows;
}

std::vector<Window> parse_ids(std::string_view json_text, std::string_view what,
                              std::int64_t vocabulary_size) {
    const Json root = parse_json(json_text, what);
    if (!root.is_array() || root.empty()) {
        throw FormatError(fmt::format(
            "{}: expected a JSON array of one or more windows, each an array of token ids", what));
    }
    std::vector<Window> windows;
    for (const Json& list : root) {
        const std::string where = fmt::format("{}: window {}", what, windows.size());
        if (!list.is_array()) throw FormatError(fmt::format("{} is not an array of token ids", where));
        if (list.size() < kMinWindowTokens) {
            throw FormatError(fmt::format("{} has {} tokens, at least {} are needed", where, list.size(),
                                          kMinWindowTokens));
        }
        Window window;
        for (const Json& id : list) {
            window.push_back(
                static_cast<std::int32_t>(as_int(id, where, {.least = 0, .most = vocabulary_size - 1})));
        }
        windows.push_back(std::move(window));
    }
    return windows;
}

std::string windows_sha256(std::span<const Window> windows) {
    Sha256 hash;
    for (const Window& window : windows) {
        const std::uint64_t length = window.size();
        hash.update(std::as_bytes(std::span(&length, 1)));
        hash.update(std::as_bytes(std::span(window)));
    }
    return hash.hex();
}

}  // namespace assay
