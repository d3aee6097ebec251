// What SentencePiece does to a text before it is cut into pieces.
#pragma once

#include <string_view>

#include "text/normalizer.h"
#include "text/sentencepiece_model.h"

namespace assay {

// Applies the rules of the model's charsmap, the longest first, makes marks of spaces, puts one in front, and
// takes extra ones out, each as the model asks; user-defined pieces stay as they are. Throws FormatError for
// a broken charsmap. Source: sentencepiece src/normalizer.cc, Normalizer::Normalize.
Normalizer sentencepiece_normalizer(const SentencePieceModel& model, std::string_view what);

}  // namespace assay
