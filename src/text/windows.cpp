#include "text/windows.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/sha256.h"
#include "container/json.h"

namespace assay {
namespace {

void check_options(const WindowOptions& options, std::int64_t least_tokens) {
    if (options.window_tokens < least_tokens) {
        throw InvalidArgument(fmt::format("a window of {} tokens is too short: at least {}",
                                          options.window_tokens, least_tokens));
    }
    if (options.max_windows < 0)
        throw InvalidArgument(fmt::format("max_windows ({}) must not be negative", options.max_windows));
}

// As many as there are, but no more than asked for.
std::int64_t limited(std::int64_t available, const WindowOptions& options) {
    return options.max_windows == 0 ? available : std::min(available, options.max_windows);
}

// Non-overlapping windows; the text must have `least_windows` of them.
std::vector<EvaluationWindow> whole_windows(std::span<const std::int32_t> ids, const WindowOptions& options,
                                            std::int64_t least_windows) {
    if (ids.empty()) throw FormatError("the text is empty: it has no tokens; give a longer text");
    const std::int64_t tokens = options.window_tokens;
    const std::int64_t available = static_cast<std::int64_t>(ids.size()) / tokens;
    if (available < least_windows) {
        throw FormatError(fmt::format(
            "the text has {} tokens, which is {} windows of {}; needed are {} or more: use smaller "
            "windows (--window) or a longer text",
            ids.size(), available, tokens, least_windows));
    }
    std::vector<EvaluationWindow> windows;
    for (std::int64_t i = 0; i < limited(available, options); ++i) {
        const auto part = ids.subspan(i * tokens, tokens);
        windows.push_back({{part.begin(), part.end()}});
    }
    return windows;
}

}  // namespace

std::vector<EvaluationWindow> gptq_windows(std::span<const std::int32_t> ids, const WindowOptions& options) {
    check_options(options, kMinWindowTokens);
    return whole_windows(ids, options, 1);
}

std::vector<EvaluationWindow> llama_cpp_windows(std::span<const std::int32_t> ids,
                                                const WindowOptions& options,
                                                std::optional<std::int32_t> bos) {
    check_options(options, kMinWindowTokens + 1);
    auto windows = whole_windows(ids, options, 2);
    for (EvaluationWindow& window : windows) {
        if (bos) window.tokens.front() = *bos;
        window.context = options.window_tokens / 2;
    }
    return windows;
}

std::vector<EvaluationWindow> sliding_windows(std::span<const std::int32_t> ids, const WindowOptions& options,
                                              std::int64_t stride) {
    check_options(options, kMinWindowTokens);
    if (stride < 1 || stride >= options.window_tokens) {
        throw InvalidArgument(fmt::format(
            "--stride must lie between 1 and {}, one less than the window, not {}; windows that do not "
            "overlap are --protocol gptq",
            options.window_tokens - 1, stride));
    }
    const auto all = static_cast<std::int64_t>(ids.size());
    if (all < kMinWindowTokens) {
        throw FormatError(fmt::format("the text has {} tokens; needed are {} or more: give a longer text",
                                      all, kMinWindowTokens));
    }
    const std::int64_t behind_the_first = std::max<std::int64_t>(0, all - options.window_tokens);
    const std::int64_t available = 1 + (behind_the_first + stride - 1) / stride;
    std::vector<EvaluationWindow> windows;
    for (std::int64_t i = 0; i < limited(available, options); ++i) {
        const std::int64_t begin = i * stride;
        const auto part = ids.subspan(begin, std::min(options.window_tokens, all - begin));
        windows.push_back({{part.begin(), part.end()}, i == 0 ? 0 : options.window_tokens - stride - 1});
    }
    return windows;
}

std::vector<EvaluationWindow> parse_ids(std::string_view json_text, std::string_view what,
                                        std::int64_t vocabulary_size) {
    const Json root = parse_json(json_text, what);
    if (!root.is_array() || root.empty()) {
        throw FormatError(fmt::format(
            "{}: expected a JSON array of one or more windows, each an array of token ids", what));
    }
    std::vector<EvaluationWindow> windows;
    for (const Json& list : root) {
        const std::string where = fmt::format("{}: window {}", what, windows.size());
        if (!list.is_array()) throw FormatError(fmt::format("{} is not an array of token ids", where));
        if (list.size() < kMinWindowTokens) {
            throw FormatError(fmt::format("{} has {} tokens, at least {} are needed", where, list.size(),
                                          kMinWindowTokens));
        }
        EvaluationWindow window;
        for (const Json& id : list) {
            window.tokens.push_back(
                static_cast<std::int32_t>(as_int(id, where, {.least = 0, .most = vocabulary_size - 1})));
        }
        windows.push_back(std::move(window));
    }
    return windows;
}

bool share_context(std::span<const EvaluationWindow> windows) {
    return std::all_of(windows.begin(), windows.end(), [&](const EvaluationWindow& window) {
        return window.context == windows.front().context;
    });
}

std::string windows_sha256(std::span<const EvaluationWindow> windows) {
    Sha256 hash;
    for (const EvaluationWindow& window : windows) {
        const std::uint64_t length = window.tokens.size();
        hash.update(std::as_bytes(std::span(&length, 1)));
        hash.update(std::as_bytes(std::span(window.tokens)));
    }
    if (!share_context(windows)) {
        for (const EvaluationWindow& window : windows)
            hash.update(std::as_bytes(std::span(&window.context, 1)));
    }
    return hash.hex();
}

}  // namespace assay
