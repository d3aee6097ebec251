// Pre-tokenizers: cutting a text into the pieces that the subword model works on, one by one.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "container/json.h"
#include "text/regex.h"
#include "text/split.h"

namespace assay {

// Cuts a text (valid UTF-8) and hands the non-empty pieces, in order, to the sink.
using PreTokenizer = std::function<void(std::string_view text, const PieceSink& sink)>;

// Builds the "pre_tokenizer" of a tokenizer.json; null for none: the text is one piece. Throws FormatError,
// and Unsupported for kinds other than Sequence, ByteLevel, Split, Digits, Whitespace, WhitespaceSplit.
PreTokenizer build_pre_tokenizer(const Json* config, std::string_view where);

// Each stage cuts the pieces of the one before.
PreTokenizer make_sequence(std::vector<PreTokenizer> stages);
// Every piece in the alphabet of bytes_to_characters(), after cutting by GPT-2's pattern if `use_regex`.
PreTokenizer make_byte_level(bool add_prefix_space, bool use_regex);
PreTokenizer make_split(Regex pattern, SplitBehavior behavior, bool invert);
// Numbers (general category N) as pieces of their own, digit by digit or whole.
PreTokenizer make_digits(bool individual_digits);

}  // namespace assay
