// The Llama decoder (Touvron et al. 2023): pre-norm, grouped attention with rotary positions, SwiGLU.
#pragma once

#include <string_view>

#include "container/gguf.h"
#include "container/json.h"
#include "model/block_program.h"
#include "model/config.h"

namespace assay {

// From config.json, flat (rope_theta, rope_scaling) or nested (rope_parameters); absent keys have
// transformers' defaults. Throws FormatError for missing or misshapen keys, Unsupported for values that
// change the function and are not handled.
ModelConfig parse_llama_hf(const Json& config, std::string_view what);

// From GGUF metadata (llama.*) and the presence of optional tensors. rope.divisors stay empty: they are a
// tensor.
ModelConfig parse_llama_gguf(const GgufFile& file);

// norm, q, k, v, attention, o (+ residual), norm, gate, up, silu·up, down (+ residual).
BlockProgram llama_block(const ModelConfig& config);

}  // namespace assay
