// Pre-tokenizers: cutting a text into the pieces that the subword model works on, one by one.
#pragma once

#include <functional>
#include <string_view>

#include "container/json.h"
#include "text/split.h"

namespace assay {

// What lies between two added tokens; valid UTF-8.
struct Stretch {
    std::string_view text;
    bool is_first = true;  // the text as given begins with it
};

// Cuts a stretch and hands the non-empty pieces, in order, to the sink.
using PreTokenizer = std::function<void(const Stretch& stretch, const PieceSink& sink)>;

// Builds the "pre_tokenizer" of a tokenizer.json; null for none: the text is one piece. Throws FormatError,
// and Unsupported for kinds other than Sequence, ByteLevel, Metaspace, Split, Digits, Whitespace,
// WhitespaceSplit.
PreTokenizer build_pre_tokenizer(const Json* config, std::string_view where);

}  // namespace assay
