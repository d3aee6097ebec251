// The families' decoder blocks.
#pragma once

#include "model/block_program.h"
#include "model/config.h"

namespace assay {

// x + attention(norm(x)), then + mlp(norm(·)): Llama (Touvron et al. 2023), Mistral, Qwen2, Qwen3; with a
// mixture of experts in place of the MLP where the layer says so: Qwen2-MoE, Qwen3-MoE.
BlockProgram pre_norm_block(const ModelConfig& config, std::int64_t layer);

// The same with experts named as Mixtral (Jiang et al. 2024) has them, in every layer.
BlockProgram mixtral_block(const ModelConfig& config, std::int64_t layer);

// The same with q, k, v in one linear and gate, up in another: Phi-3 (Abdin et al. 2024).
BlockProgram phi3_block(const ModelConfig& config, std::int64_t layer);

// x + norm(attention(norm(x))), then + norm(mlp(norm(·))): Gemma 2 and 3.
BlockProgram gemma_block(const ModelConfig& config, std::int64_t layer);

// x + norm(attention(x)), then + norm(mlp(·)): OLMo 2 (Walsh et al. 2024).
BlockProgram olmo2_block(const ModelConfig& config, std::int64_t layer);

}  // namespace assay
