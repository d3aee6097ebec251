// What a GGUF file says about its tokenizer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace assay {

class GgufFile;

// The keys "tokenizer.ggml.*". Source: ggml docs/gguf.md; llama.cpp src/llama-vocab.cpp.
struct GgufVocabulary {
    std::string model;                  // "gpt2": byte-level BPE; "llama": SentencePiece BPE
    std::string pre = "default";        // how a text is cut into pieces
    std::vector<std::string> tokens{};  // by id
    std::vector<std::int32_t>
        token_types{};            // by id: 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte
    std::vector<float> scores{};  // by id
    std::vector<std::string> merges{};  // "left right"
    std::optional<std::int32_t> bos_id{};
    std::optional<std::int32_t> eos_id{};
    std::optional<std::int32_t> unknown_id{};
    std::optional<bool> add_bos{};  // absent: as `pre` has it
    std::optional<bool> add_eos{};
    std::optional<bool> add_space_prefix{};  // of llama; absent: yes
};

inline constexpr std::int32_t kGgufUnknown = 2;
inline constexpr std::int32_t kGgufControl = 3;
inline constexpr std::int32_t kGgufUserDefined = 4;

// Empty tokens become [EMPTY_id], and a llama vocabulary that does not name them has bos 1 and eos 2, as in
// llama.cpp. Throws FormatError where a key is missing or of another type.
GgufVocabulary read_gguf_vocabulary(const GgufFile& file);

}  // namespace assay
