// How GGUF files name the ways to cut a text for byte-level BPE.
#pragma once

#include <string_view>

#include "container/json.h"

namespace assay {

// What one value of "tokenizer.ggml.pre" stands for.
struct GgufPreTokenizer {
    std::string_view name;
    Json (*pieces)();  // the "pre_tokenizer" of a tokenizer.json
    bool normalizes_to_nfc = false;
    bool ignore_merges = false;
    bool add_bos = false;  // where the file does not say
};

// Throws Unsupported, naming `what` and listing the known ones, for another name. Source: llama.cpp
// src/llama-vocab.cpp, with the patterns that the models' own tokenizer.json have (quoted there).
const GgufPreTokenizer& find_gguf_pre_tokenizer(std::string_view name, std::string_view what);

}  // namespace assay
