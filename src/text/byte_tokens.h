// Byte fallback: the tokens <0x00> to <0xFF> that stand for single bytes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/vocabulary.h"

namespace assay {

// "<0x0A>" for 10.
std::string byte_token(std::uint8_t byte);

// The byte that a token's text names, nothing for other texts. Digits of both cases are read, as the
// `tokenizers` library does.
std::optional<std::uint8_t> byte_of_token(std::string_view text);

// The byte tokens of a vocabulary.
class ByteTokens {
  public:
    explicit ByteTokens(const Vocabulary& vocabulary);

    // Appends the tokens of all bytes of `text`, or nothing where one is missing; tells which.
    bool append(std::string_view text, std::vector<std::int32_t>& ids) const;

  private:
    std::array<std::optional<std::int32_t>, 256> ids_;
};

}  // namespace assay
