// What a model computes: the numbers of its config.json or GGUF metadata, checked.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compute/backend.h"

namespace assay {

// Rotary position frequencies (Su et al. 2021) and their scalings for longer contexts.
struct RopeConfig {
    enum class Scaling { kNone, kLinear, kLlama3, kYarn, kLongrope };

    double theta = 10000;
    std::int64_t dimensions = 0;  // of a head that are rotated, the first ones; even
    Scaling scaling = Scaling::kNone;
    double factor = 1;
    double low_freq_factor = 1;  // llama3 only, as the next
    double high_freq_factor = 4;
    double original_max_positions = 8192;  // llama3, yarn, longrope
    double beta_fast = 32;                 // yarn only, as the next two
    double beta_slow = 1;
    bool truncate = true;
    double attention_factor = 1;  // yarn, longrope: cosines and sines are multiplied by it
    // [dimensions / 2], frequencies are divided by them; empty: none. GGUF's rope_freqs, longrope's short
    // factors.
    std::vector<float> divisors;
    std::vector<float> long_divisors;  // longrope: for windows longer than original_max_positions

    bool operator==(const RopeConfig&) const = default;
};

// RMSNorm of queries and keys, before rotation.
enum class QkNorm { kNone, kHead, kProjection };  // over each head, over all heads together

// What differs from block to block.
struct LayerConfig {
    std::int64_t window = 0;  // keys that a position sees, itself included; 0: all before it
    bool local_rope = false;  // rotates by ModelConfig::local_rope
    bool experts = false;     // a mixture of experts in place of the MLP

    bool operator==(const LayerConfig&) const = default;
};

// Mixture of experts; count 0: none.
struct ExpertsConfig {
    std::int64_t count = 0;
    std::int64_t per_token = 0;
    std::int64_t intermediate = 0;
    std::int64_t shared_intermediate = 0;  // of the shared expert; 0: none
    bool renormalise = false;              // the chosen experts' weights sum to 1

    bool operator==(const ExpertsConfig&) const = default;
};

struct ModelConfig {
    std::string architecture;  // Hugging Face's class name: "LlamaForCausalLM"
    std::int64_t hidden = 0;
    std::int64_t intermediate = 0;
    std::int64_t layers = 0;
    std::int64_t heads = 0;
    std::int64_t kv_heads = 0;
    std::int64_t head_dim = 0;
    std::int64_t vocabulary = 0;
    std::int64_t max_positions = 0;
    double rms_eps = 1e-6;
    bool tied_head = false;    // the output layer is the embedding
    bool qkv_bias = false;     // of q, k and v
    bool output_bias = false;  // of o
    bool mlp_bias = false;     // of gate, up and down
    QkNorm qk_norm = QkNorm::kNone;
    compute::Activation activation = compute::Activation::kSilu;
    double attention_scale = 0;    // multiplies q·k
    double attention_softcap = 0;  // 0: none, as the next
    double final_softcap = 0;
    double embedding_scale = 1;  // multiplies the embeddings
    double norm_offset = 0;      // is added to RMSNorm weights: Gemma stores w - 1
    RopeConfig rope;
    RopeConfig local_rope;           // of layers that say so
    std::vector<LayerConfig> layer;  // one per layer
    ExpertsConfig experts;

    bool operator==(const ModelConfig&) const = default;
};

// Checks what any architecture needs: positive sizes within bounds (2^31), heads divisible by kv_heads, even
// rotary dimensions, one LayerConfig per layer. Throws FormatError naming `what` and the field.
void validate(const ModelConfig& config, const std::string& what);

}  // namespace assay
