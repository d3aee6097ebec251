// The table of supported architectures: a row of names and small functions each.
#pragma once

#include <span>
#include <string_view>

#include "container/gguf.h"
#include "container/json.h"
#include "model/block_program.h"
#include "model/config.h"

namespace assay {

struct Architecture {
    std::string_view hf_name;    // "LlamaForCausalLM", of config.json's "architectures"
    std::string_view gguf_name;  // "llama", of general.architecture
    ModelConfig (*parse_hf)(const Json& config, std::string_view what);
    ModelConfig (*parse_gguf)(const GgufFile& file);
    BlockProgram (*block)(const ModelConfig& config);
    bool gguf_permutes_qk;  // GGUF keeps q and k rows in llama.cpp's interleaved rotary order
};

std::span<const Architecture> architectures();

// The row of a Hugging Face class name or of a GGUF architecture. Throw Unsupported naming it and all
// supported ones.
const Architecture& find_hf_architecture(std::string_view name, std::string_view what);
const Architecture& find_gguf_architecture(std::string_view name, std::string_view what);

}  // namespace assay
