// The text of a number format while it is read, from left to right.
#pragma once

#include <cstdint>
#include <string_view>

#include "number/scale_type.h"
#include "number/tile.h"

namespace assay {

class FormatText {
  public:
    explicit FormatText(std::string_view text) : whole_(text), rest_(text) {}

    // Removes `word` from the front of what is left if it stands there.
    bool take(std::string_view word);
    // Removes a positive decimal number without sign or leading zeros; 0 where there is none or it does not
    // fit.
    std::int64_t take_positive();
    bool at_end() const { return rest_.empty(); }
    bool starts_with(std::string_view word) const { return rest_.starts_with(word); }

    // Throws InvalidArgument with the whole text, what was expected and valid examples.
    [[noreturn]] void reject(std::string_view expected) const;

  private:
    std::string_view whole_, rest_;
};

// Removes -channel, -tensor, -gN or -bRxC. Throws InvalidArgument for anything else, where `before` says what
// could have stood there too.
Tile take_tile(FormatText& text, std::string_view before = "");

// Removes (scale=f16|bf16|f32) and asks for the end of the text; `usual` where nothing is left. Throws
// InvalidArgument for anything else.
ScaleType take_scale(FormatText& text, ScaleType usual);

}  // namespace assay
