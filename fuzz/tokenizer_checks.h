// What any tokenizer must do with any text. Shared by the fuzz targets.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "attempt.h"
#include "text/tokenizer.h"

// Encodes and decodes; every id must be a token of the vocabulary.
inline void exercise(const assay::Tokenizer& tokenizer, std::string_view text) {
    const auto ids = tokenizer.encode(text, true);
    for (const std::int32_t id : ids) {
        if (id < 0 || id >= tokenizer.vocabulary_size() || !tokenizer.token_text(id)) std::abort();
    }
    tokenizer.decode(ids, true);
}

// A text with what parsers of all kinds look for: spaces, marks, bytes without a character, tokens by name.
inline constexpr std::string_view kText =
    " Hello  w\u00f6rld\n\n\u2581\u2581ab aab 123\t\u00e9e\u0301\ufb01 <s>user</s><unk> \U0001f600\u4e2d ";
