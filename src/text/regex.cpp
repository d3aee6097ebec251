#include "text/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "base/error.h"
#include "text/regex_syntax.h"
#include "text/unicode.h"

namespace assay {
namespace {

// Steps that one match may take: enough for repetitions that give back a whole long text once.
constexpr std::size_t kBaseSteps = 100'000;
constexpr std::size_t kStepsPerByte = 16;
constexpr std::uint32_t kMaxHeapKib = 64 * 1024;

template <auto release>
struct Releaser {
    template <class T>
    void operator()(T* resource) const {
        release(resource);
    }
};
using CompileContext = std::unique_ptr<pcre2_compile_context, Releaser<pcre2_compile_context_free>>;
using MatchContext = std::unique_ptr<pcre2_match_context, Releaser<pcre2_match_context_free>>;
using MatchData = std::unique_ptr<pcre2_match_data, Releaser<pcre2_match_data_free>>;
using CompiledCode = std::unique_ptr<pcre2_code, Releaser<pcre2_code_free>>;

PCRE2_SPTR as_pcre2(std::string_view text) {
    return reinterpret_cast<PCRE2_SPTR>(text.data());
}

std::string message_of(int error) {
    PCRE2_UCHAR text[256] = {};
    pcre2_get_error_message(error, text, sizeof(text));
    return reinterpret_cast<const char*>(text);
}

}  // namespace

struct Regex::Code {
    CompiledCode compiled;
    std::string name;  // for errors
};

Regex Regex::from_pattern(std::string_view pattern, std::string_view where) {
    return compile(pcre2_from_oniguruma(pattern, where), pattern, where);
}

Regex Regex::from_literal(std::string_view text, std::string_view where) {
    return compile(pcre2_from_literal(text), text, where);
}

Regex Regex::compile(std::string_view pcre2_pattern, std::string_view shown, std::string_view where) {
    const CompileContext context(pcre2_compile_context_create(nullptr));
    if (context == nullptr) throw std::bad_alloc();
    pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
    auto code = std::make_shared<Code>();
    code->name = fmt::format("{}: regular expression \"{:.200}\"", where, shown);
    int error = 0;
    PCRE2_SIZE offset = 0;
    constexpr std::uint32_t kOptions = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C;
    code->compiled.reset(pcre2_compile(as_pcre2(pcre2_pattern), pcre2_pattern.size(), kOptions, &error,
                                       &offset, context.get()));
    if (code->compiled == nullptr)
        throw FormatError(fmt::format("{} is invalid: {}", code->name, message_of(error)));
    // Without a just-in-time compiler the interpreter gives the same matches.
    static_cast<void>(pcre2_jit_compile(code->compiled.get(), PCRE2_JIT_COMPLETE));
    return Regex(std::move(code));
}

void Regex::for_each_match(std::string_view text,
                           const std::function<void(std::size_t, std::size_t)>& found) const {
    const MatchContext context(pcre2_match_context_create(nullptr));
    const MatchData data(pcre2_match_data_create_from_pattern(code_->compiled.get(), nullptr));
    if (context == nullptr || data == nullptr) throw std::bad_alloc();
    const std::size_t steps = kBaseSteps + kStepsPerByte * text.size();
    pcre2_set_match_limit(context.get(),
                          static_cast<std::uint32_t>(std::min<std::size_t>(steps, UINT32_MAX)));
    pcre2_set_heap_limit(context.get(), kMaxHeapKib);
    const auto match_from = [&](std::size_t from, std::uint32_t options) {
        return pcre2_match(code_->compiled.get(), as_pcre2(text), text.size(), from,
                           PCRE2_NO_UTF_CHECK | options, data.get(), context.get());
    };

    std::size_t from = 0;
    std::size_t last_end = ~std::size_t{0};
    while (from <= text.size()) {
        int status = match_from(from, 0);
        if (status == PCRE2_ERROR_JIT_STACKLIMIT)
            status = match_from(from, PCRE2_NO_JIT);  // its stack is the heap
        if (status == PCRE2_ERROR_NOMATCH) return;
        if (status < 0)
            throw FormatError(fmt::format("{} cannot be applied: {}", code_->name, message_of(status)));
        const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(data.get());
        const std::size_t begin = bounds[0];
        const std::size_t end = bounds[1];
        if (begin == end && end == last_end) {
            from = end + (end < text.size() ? character_at(text, end).bytes : 1);
            continue;
        }
        found(begin, end);
        from = last_end = end;
    }
}

}  // namespace assay
