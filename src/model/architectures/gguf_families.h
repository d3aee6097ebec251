// Each family's GGUF metadata. rope's divisors stay empty: they are tensors. All throw FormatError for
// missing or misshapen keys and Unsupported for keys that change what the model computes and are not handled.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "container/gguf.h"
#include "model/config.h"

namespace assay {

ModelConfig parse_llama_gguf(const GgufFile& file);  // also Mistral and Mixtral
ModelConfig parse_qwen2_gguf(const GgufFile& file);
ModelConfig parse_qwen3_gguf(const GgufFile& file);
ModelConfig parse_qwen2_moe_gguf(const GgufFile& file);
ModelConfig parse_qwen3_moe_gguf(const GgufFile& file);
ModelConfig parse_phi3_gguf(const GgufFile& file);
ModelConfig parse_gemma2_gguf(const GgufFile& file);
ModelConfig parse_gemma3_gguf(const GgufFile& file);
ModelConfig parse_olmo2_gguf(const GgufFile& file);

// Keys, behind "ARCH.", that change what a model computes, for whoever does not read them.
struct GgufFunctionKey {
    std::string_view key;
    double neutral;  // the numbers that change nothing; a text or an array always does
    double also_neutral;
};
std::span<const GgufFunctionKey> gguf_function_keys();

// Throws Unsupported naming the first of them, behind `prefix`, that is neither handled nor neutral.
void refuse_gguf_keys(const GgufFile& file, const std::string& prefix,
                      std::initializer_list<std::string_view> handled);

}  // namespace assay
