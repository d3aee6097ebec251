#include "model/architectures/blocks.h"

#include "model/block_builder.h"

namespace assay {
namespace {

constexpr const char* kInputNorm = "input_layernorm";
constexpr const char* kAttentionNorm = "post_attention_layernorm";  // after attention, or before the MLP

// Queries or keys, normalised where the model does so.
int projection(const ModelConfig& config, BlockBuilder& b, int x, const std::string& name,
               std::int64_t heads) {
    const int out = b.linear(x, "self_attn." + name + "_proj", heads * config.head_dim, config.qkv_bias);
    const std::string norm = "self_attn." + name + "_norm";
    if (config.qk_norm == QkNorm::kHead) return b.head_norm(out, norm, config.head_dim);
    if (config.qk_norm == QkNorm::kProjection) return b.norm(out, norm);
    return out;
}

// q, k, v, attention and o; + residual where given.
int attention(const ModelConfig& config, BlockBuilder& b, int x, int residual) {
    const int q = projection(config, b, x, "q", config.heads),
              k = projection(config, b, x, "k", config.kv_heads);
    const int v = b.linear(x, "self_attn.v_proj", config.kv_heads * config.head_dim, config.qkv_bias);
    return b.linear(b.attention(q, k, v), "self_attn.o_proj", config.hidden, config.output_bias, residual);
}

int mlp(const ModelConfig& config, BlockBuilder& b, int x, int residual) {
    return b.mlp(x, "mlp", config.intermediate, config.mlp_bias, residual);
}

}  // namespace

BlockProgram pre_norm_block(const ModelConfig& config, std::int64_t layer) {
    BlockBuilder b(config, layer);
    const int middle = attention(config, b, b.norm(b.input(), kInputNorm), b.input());
    const int normed = b.norm(middle, kAttentionNorm);
    if (!config.layer[static_cast<std::size_t>(layer)].experts)
        return b.finish(mlp(config, b, normed, middle));
    return b.finish(b.experts(normed, "mlp", {"gate_proj", "up_proj", "down_proj"}, middle));
}

BlockProgram mixtral_block(const ModelConfig& config, std::int64_t layer) {
    BlockBuilder b(config, layer);
    const int middle = attention(config, b, b.norm(b.input(), kInputNorm), b.input());
    const int normed = b.norm(middle, kAttentionNorm);
    return b.finish(b.experts(normed, "block_sparse_moe", {"w1", "w3", "w2"}, middle));
}

BlockProgram phi3_block(const ModelConfig& config, std::int64_t layer) {
    const std::int64_t q = config.heads * config.head_dim, kv = config.kv_heads * config.head_dim,
                       inner = config.intermediate;
    BlockBuilder b(config, layer);
    const int qkv = b.linear(b.norm(b.input(), kInputNorm), "self_attn.qkv_proj", q + 2 * kv);
    const int context = b.attention({qkv, 0, q}, {qkv, q, kv}, {qkv, q + kv, kv});
    const int middle = b.linear(context, "self_attn.o_proj", config.hidden, false, b.input());
    const int both = b.linear(b.norm(middle, kAttentionNorm), "mlp.gate_up_proj", 2 * inner);
    const int gated = b.gated({both, 0, inner}, {both, inner, inner}, inner);
    return b.finish(b.linear(gated, "mlp.down_proj", config.hidden, false, middle));
}

BlockProgram gemma_block(const ModelConfig& config, std::int64_t layer) {
    BlockBuilder b(config, layer);
    const int attended = attention(config, b, b.norm(b.input(), kInputNorm), -1);
    const int middle = b.norm(attended, kAttentionNorm, b.input());
    const int moved = mlp(config, b, b.norm(middle, "pre_feedforward_layernorm"), -1);
    return b.finish(b.norm(moved, "post_feedforward_layernorm", middle));
}

BlockProgram olmo2_block(const ModelConfig& config, std::int64_t layer) {
    BlockBuilder b(config, layer);
    const int middle = b.norm(attention(config, b, b.input(), -1), kAttentionNorm, b.input());
    return b.finish(b.norm(mlp(config, b, middle, -1), "post_feedforward_layernorm", middle));
}

}  // namespace assay
