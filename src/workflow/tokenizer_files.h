// The tokenizer that belongs to a model's files.
#pragma once

#include "model/model_files.h"
#include "text/tokenizer.h"

namespace assay {

// Whether one is there.
bool has_tokenizer(const ModelFiles& files);

// tokenizer.json of a folder, else its tokenizer.model, with what tokenizer_config.json beside it says; or a
// GGUF file's own vocabulary. Throws FormatError where there is none, with what to do.
Tokenizer load_tokenizer(const ModelFiles& files);

}  // namespace assay
