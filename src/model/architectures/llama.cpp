#include "model/architectures/llama.h"

namespace assay {

BlockProgram llama_block(const ModelConfig& config) {
    const std::int64_t hidden = config.hidden, query = config.heads * config.head_dim,
                       key = config.kv_heads * config.head_dim;
    enum Slot {
        kInput,
        kNormed,
        kQuery,
        kKey,
        kValue,
        kContext,
        kMiddle,
        kMlpNormed,
        kGate,
        kUp,
        kGated,
        kOutput
    };
    BlockProgram program;
    program.slot_cols = {hidden,
                         hidden,
                         query,
                         key,
                         key,
                         query,
                         hidden,
                         hidden,
                         config.intermediate,
                         config.intermediate,
                         config.intermediate,
                         hidden};
    program.input = kInput;
    program.output = kOutput;
    const bool attention_bias = config.attention_bias, mlp_bias = config.mlp_bias;
    using enum BlockOpKind;
    program.ops = {
        {kRmsNorm, {kInput}, kNormed, "input_layernorm"},
        {kLinear, {kNormed}, kQuery, "self_attn.q_proj", attention_bias},
        {kLinear, {kNormed}, kKey, "self_attn.k_proj", attention_bias},
        {kLinear, {kNormed}, kValue, "self_attn.v_proj", attention_bias},
        {kAttention, {kQuery, kKey, kValue}, kContext, ""},
        {kLinear, {kContext}, kMiddle, "self_attn.o_proj", attention_bias, kInput},
        {kRmsNorm, {kMiddle}, kMlpNormed, "post_attention_layernorm"},
        {kLinear, {kMlpNormed}, kGate, "mlp.gate_proj", mlp_bias},
        {kLinear, {kMlpNormed}, kUp, "mlp.up_proj", mlp_bias},
        {kGatedSilu, {kGate, kUp}, kGated, ""},
        {kLinear, {kGated}, kOutput, "mlp.down_proj", mlp_bias, kMiddle},
    };
    return program;
}

}  // namespace assay
