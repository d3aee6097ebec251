// What a model computes: the numbers of its config.json or GGUF metadata, checked.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace assay {

// Rotary position frequencies (Su et al. 2021) and their scalings for longer contexts.
struct RopeConfig {
    enum class Scaling { kNone, kLinear, kLlama3 };

    double theta = 10000;
    Scaling scaling = Scaling::kNone;
    double factor = 1;
    double low_freq_factor = 1;  // llama3 only, as the next two
    double high_freq_factor = 4;
    double original_max_positions = 8192;
    std::vector<float>
        divisors;  // [head_dim / 2], GGUF's rope_freqs: frequencies are divided by them; empty: none
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
    bool tied_head = false;       // the output layer is the embedding
    bool attention_bias = false;  // of q, k, v and o
    bool mlp_bias = false;        // of gate, up and down
    RopeConfig rope;
};

// Checks what any architecture needs: positive sizes within bounds (2^31), heads divisible by kv_heads, even
// head_dim. Throws FormatError naming `what` and the field.
void validate(const ModelConfig& config, const std::string& what);

}  // namespace assay
