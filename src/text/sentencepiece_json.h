// The parts of a tokenizer.json for a SentencePiece-like vocabulary.
#pragma once

#include <string_view>
#include <vector>

#include "container/json.h"
#include "text/scored_bpe.h"

namespace assay {

// Marks to spaces, bytes to characters, and the space that was put in front of a text off again.
Json sentencepiece_decoder_json(bool strips_first_space);

// Prepend the mark if asked to, then replace spaces by it.
Json space_mark_normalizer_json(bool prepends);

// The "merges" that encode as ScoredBpe does wherever equal texts are not cut in two ways that overlap: every
// way to cut a token into two others, by falling score. Source: transformers convert_slow_tokenizer.py,
// generate_merges.
Json merges_of_scores(const std::vector<ScoredToken>& tokens);

}  // namespace assay
