// The tokenizer pipelines that GGUF files name instead of describing.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "text/added_tokens.h"
#include "text/gguf_vocabulary.h"
#include "text/normalizer.h"
#include "text/post_processor.h"
#include "text/pre_tokenizer.h"
#include "text/subword_model.h"

namespace assay {

struct GgufPipeline {
    Normalizer normalizer;
    PreTokenizer pre_tokenizer;
    std::unique_ptr<const SubwordModel> model;
    PostProcessor post_processor;
    std::vector<AddedToken> added_tokens;
};

// What `vocabulary.pre` means, as the models' own tokenizer.json has it. Throws FormatError for an
// inconsistent vocabulary, Unsupported for a model other than gpt2 and for a `pre` outside of the table.
// Source: llama.cpp src/llama-vocab.cpp; for qwen2, its tokenizer.json, which normalizes to NFC first.
GgufPipeline gguf_pipeline(const GgufVocabulary& vocabulary, std::string_view what);

}  // namespace assay
