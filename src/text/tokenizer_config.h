// tokenizer_config.json: what transformers adds to a tokenizer's own file, as far as it changes ids.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/added_tokens.h"

namespace assay {

struct TokenizerConfig {
    // An entry of "added_tokens_decoder".
    struct Added {
        std::int32_t id = 0;
        AddedToken token;
    };

    std::string tokenizer_class;  // empty where the file does not say, as all that follows
    std::optional<bool> add_bos{};
    std::optional<bool> add_eos{};
    std::optional<bool> add_prefix_space{};
    std::optional<std::string> bos_token{};
    std::optional<std::string> eos_token{};
    std::vector<Added> added_tokens{};  // by rising id

    // Do the classes that read this build the tokens around a text anew, whatever the tokenizer's own file
    // says? So do those of Llama, Gemma and Cohere where "add_bos_token" or "add_eos_token" is given. Source:
    // transformers 4, models/llama/tokenization_llama_fast.py, update_post_processor.
    bool overrides_template() const;
};

// Throws FormatError, naming `what`, for a malformed file.
TokenizerConfig parse_tokenizer_config(std::string_view json, std::string_view what);

}  // namespace assay
