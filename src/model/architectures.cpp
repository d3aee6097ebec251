#include "model/architectures.h"

#include <fmt/format.h>

#include <array>
#include <string>

#include "base/error.h"
#include "model/architectures/llama.h"

namespace assay {
namespace {

constexpr std::array<Architecture, 1> kArchitectures{{
    {"LlamaForCausalLM", "llama", parse_llama_hf, parse_llama_gguf, llama_block, true},
}};

const Architecture& find(std::string_view Architecture::*field, std::string_view name,
                         std::string_view what) {
    std::string supported;
    for (const Architecture& row : kArchitectures) {
        if (row.*field == name) return row;
        supported += (supported.empty() ? "" : ", ") + std::string(row.*field);
    }
    throw Unsupported(
        fmt::format("{}: architecture {} is not supported; supported: {}", what, name, supported));
}

}  // namespace

std::span<const Architecture> architectures() {
    return kArchitectures;
}

const Architecture& find_hf_architecture(std::string_view name, std::string_view what) {
    return find(&Architecture::hf_name, name, what);
}

const Architecture& find_gguf_architecture(std::string_view name, std::string_view what) {
    return find(&Architecture::gguf_name, name, what);
}

}  // namespace assay
