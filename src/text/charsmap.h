// The compiled normalization rules of a SentencePiece model ("precompiled_charsmap").
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

// Rules "these bytes become those": a double array (u32 size in bytes, then u32 units) over the left sides,
// then the right sides with a NUL behind each. Source: sentencepiece src/normalizer.cc; darts-clone.
class Charsmap {
  public:
    struct Match {
        std::size_t bytes = 0;         // of the left side
        std::string_view replacement;  // lives as long as the map
    };

    // An empty blob has no rules. Throws FormatError, naming `where`, where the parts do not fit or the right
    // sides are not UTF-8.
    Charsmap(std::string_view blob, std::string_view where);

    // The rule with the shortest or longest left side that `text` begins with. Throws FormatError where the
    // double array leads out of its own bounds.
    std::optional<Match> shortest(std::string_view text) const { return find(text, true); }
    std::optional<Match> longest(std::string_view text) const { return find(text, false); }

  private:
    std::optional<Match> find(std::string_view text, bool stops_at_first) const;
    std::uint32_t unit(std::size_t index) const;
    std::string_view replacement(std::size_t offset) const;
    [[noreturn]] void fail(std::string_view reason) const;

    std::vector<std::uint32_t> units_;
    std::string replacements_;
    std::string where_;
};

}  // namespace assay
