// The Llama decoder (Touvron et al. 2023): pre-norm, grouped attention with rotary positions, SwiGLU.
#pragma once

#include "model/block_program.h"
#include "model/config.h"

namespace assay {

// norm, q, k, v, attention, o (+ residual), norm, gate, up, silu·up, down (+ residual).
BlockProgram llama_block(const ModelConfig& config);

}  // namespace assay
