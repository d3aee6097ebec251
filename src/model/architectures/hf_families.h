// Each family's config.json. All throw as parse_hf_base() does.
#pragma once

#include <string_view>

#include "container/json.h"
#include "model/config.h"

namespace assay {

ModelConfig parse_llama_hf(const Json& config, std::string_view what);
ModelConfig parse_mistral_hf(const Json& config, std::string_view what);
ModelConfig parse_mixtral_hf(const Json& config, std::string_view what);
ModelConfig parse_qwen2_hf(const Json& config, std::string_view what);
ModelConfig parse_qwen3_hf(const Json& config, std::string_view what);
ModelConfig parse_qwen2_moe_hf(const Json& config, std::string_view what);
ModelConfig parse_qwen3_moe_hf(const Json& config, std::string_view what);
ModelConfig parse_phi3_hf(const Json& config, std::string_view what);
ModelConfig parse_gemma2_hf(const Json& config, std::string_view what);
ModelConfig parse_gemma3_hf(const Json& config, std::string_view what);
ModelConfig parse_olmo2_hf(const Json& config, std::string_view what);

}  // namespace assay
