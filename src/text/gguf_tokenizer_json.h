// A GGUF file's tokenizer as a tokenizer.json: the one description that tokenizers are built from.
#pragma once

#include <string_view>

#include "container/json.h"
#include "text/gguf_vocabulary.h"

namespace assay {

// The pipeline that `vocabulary.pre` names, as the models' own tokenizer.json has it, with the file's
// vocabulary, merges and special tokens. Throws FormatError for an inconsistent vocabulary, Unsupported for a
// model other than gpt2 and for an unknown `pre`, listing the known ones. Source: llama.cpp
// src/llama-vocab.cpp; for qwen2 its tokenizer.json (NFC).
Json gguf_tokenizer_json(const GgufVocabulary& vocabulary, std::string_view what);

}  // namespace assay
