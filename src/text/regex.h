// Regular expressions over UTF-8 text.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

namespace assay {

// A compiled pattern. Immutable, hence thread-safe; copies share it.
class Regex {
  public:
    // Compiles a pattern in Oniguruma's Ruby syntax; `where` names it in errors. Throws FormatError for an
    // invalid pattern and Unsupported for constructs that pcre2_from_oniguruma() refuses.
    static Regex from_pattern(std::string_view pattern, std::string_view where);
    // A pattern that matches exactly `text`.
    static Regex from_literal(std::string_view text, std::string_view where);

    // Calls found(begin, end) for each match in `text` (valid UTF-8), left to right, byte offsets; an empty
    // match right behind the last match does not count. Throws FormatError where a single match takes
    // unreasonably many steps (patterns with nested repetitions).
    void for_each_match(std::string_view text,
                        const std::function<void(std::size_t, std::size_t)>& found) const;

  private:
    struct Code;
    explicit Regex(std::shared_ptr<const Code> code) : code_(std::move(code)) {}
    static Regex compile(std::string_view pcre2_pattern, std::string_view shown, std::string_view where);

    std::shared_ptr<const Code> code_;
};

}  // namespace assay
