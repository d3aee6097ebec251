// The table of supported architectures: a row of names and small functions each.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "container/gguf.h"
#include "container/json.h"
#include "model/block_program.h"
#include "model/config.h"

namespace assay {

struct Architecture {
    std::string_view hf_name;     // "LlamaForCausalLM", of config.json's "architectures"
    std::string_view model_type;  // "llama", of config.json's "model_type"
    std::string_view gguf_name;   // "llama", of general.architecture; "": llama.cpp writes it as another one
    bool gguf_experts;            // of the rows with one gguf_name: the one for files with experts
    ModelConfig (*parse_hf)(const Json& config, std::string_view what);
    ModelConfig (*parse_gguf)(const GgufFile& file);
    BlockProgram (*block)(const ModelConfig& config, std::int64_t layer);
    // GGUF's names within a block and ours, beyond those that all families share: {"attn_qkv", …}.
    std::span<const std::pair<std::string_view, std::string_view>> gguf_names;
    bool gguf_permutes_qk;   // GGUF keeps q and k rows in llama.cpp's interleaved rotary order
    bool gguf_shifts_norms;  // GGUF keeps RMSNorm weights with 1 added
};

std::span<const Architecture> architectures();

// The row of a Hugging Face class name or of a GGUF file. Throw Unsupported naming it and all supported ones.
const Architecture& find_hf_architecture(std::string_view name, std::string_view what);
const Architecture& find_gguf_architecture(const GgufFile& file);

// Hugging Face's name for a GGUF name within a block, of those that are the architecture's own.
std::optional<std::string_view> find_gguf_name(const Architecture& architecture, std::string_view name);

// The config of a multimodal class's language model, as a class of its own would have it; any other config as
// it is. Throws FormatError where the class's text_config is missing.
Json text_config(const Json& config, std::string_view what);

// The programs of all blocks of a model of config.architecture, a Hugging Face class name.
std::vector<BlockProgram> make_blocks(const ModelConfig& config);

}  // namespace assay
