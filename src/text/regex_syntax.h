// Regular expressions of tokenizer files, translated from Oniguruma's syntax to PCRE2's.
#pragma once

#include <string>
#include <string_view>

namespace assay {

// A PCRE2 pattern (UTF, UCP, multi-line, newline LF) that matches what Oniguruma in its Ruby syntax matches,
// which the `tokenizers` library uses. The two differ in the sets behind \s \w \d \h \b and \p{..} (Unicode
// versions, U+180E, marks), in what `(?m)`, `(?i)`, `\h`, `\v`, `{n}?` and `{n,m}+` mean, and in scripts
// (Oniguruma: the script itself). `where` names the pattern in errors. Throws FormatError for unbalanced
// brackets, Unsupported for constructs outside the translated ones (set operations and nested classes, back
// references, named groups, \X, \R, \G, \K, …). Source: Oniguruma doc/RE; pcre2pattern(3).
std::string pcre2_from_oniguruma(std::string_view pattern, std::string_view where);

// A PCRE2 pattern that matches exactly `text`.
std::string pcre2_from_literal(std::string_view text);

}  // namespace assay
