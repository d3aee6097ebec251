// A tiny model with a tokenizer. Used by tests only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "model/test_models.h"
#include "text/byte_level.h"

namespace assay {

inline constexpr std::int32_t kByteModelBos = 257;

// Its tokens are the bytes, "ab" and two control tokens.
inline void write_byte_model(const std::filesystem::path& path) {
    ModelConfig config = small_llama_config();
    config.vocabulary = 259;
    write_llama_gguf(path, config, *random_weights(config, 3), [](GgufHeader& header) {
        std::vector<std::string> tokens;
        for (int byte = 0; byte < 256; ++byte)
            tokens.push_back(bytes_to_characters(std::string(1, static_cast<char>(byte))));
        tokens.insert(tokens.end(), {"ab", "<s>", "</s>"});
        std::vector<std::int32_t> types(tokens.size(), 1);
        types[257] = types[258] = 3;
        header.set_string("tokenizer.ggml.model", "gpt2");
        header.set_string("tokenizer.ggml.pre", "smollm");
        header.set_strings("tokenizer.ggml.tokens", tokens);
        header.set_i32s("tokenizer.ggml.token_type", types);
        header.set_strings("tokenizer.ggml.merges", std::vector<std::string>{"a b"});
        header.set_u32("tokenizer.ggml.bos_token_id", kByteModelBos);
        header.set_bool("tokenizer.ggml.add_bos_token", true);
    });
}

}  // namespace assay
