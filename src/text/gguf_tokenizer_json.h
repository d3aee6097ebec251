// A GGUF file's tokenizer as a tokenizer.json: the one description that tokenizers are built from.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "container/json.h"
#include "text/gguf_vocabulary.h"
#include "text/scored_bpe.h"

namespace assay {

// gpt2: the pipeline that `vocabulary.pre` names, as the models' own tokenizer.json has it, with the file's
// vocabulary, merges and special tokens. llama: a mark in front and for spaces, byte fallback, and the merges
// that the scores stand for. Throws FormatError for an inconsistent vocabulary, Unsupported for another model
// and for an unknown `pre`, listing the known ones. Source: llama.cpp src/llama-vocab.cpp; for qwen2 its
// tokenizer.json (NFC).
Json gguf_tokenizer_json(const GgufVocabulary& vocabulary, std::string_view what);

// The same without its "model".
Json gguf_pipeline_json(const GgufVocabulary& vocabulary, std::string_view what);

// The tokens of a llama vocabulary; without scores all are equal. Throws FormatError for per-token arrays of
// another count and texts that are not UTF-8.
std::vector<ScoredToken> gguf_scored_tokens(const GgufVocabulary& vocabulary, std::string_view what);

// The token of unknown characters in a llama vocabulary: 0 where the file does not say.
std::optional<std::int32_t> gguf_unknown_id(const GgufVocabulary& vocabulary);

}  // namespace assay
