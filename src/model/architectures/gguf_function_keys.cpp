// The table of GGUF keys that change what a model computes. Source: llama.cpp, gguf-py/gguf/constants.py
// (keys), src/llama-model.cpp and src/llama-hparams.h (what changes nothing).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "base/error.h"
#include "model/architectures/gguf_families.h"

namespace assay {
namespace {

constexpr double kNever = std::numeric_limits<double>::quiet_NaN();

// llama.cpp takes 0 for "no scale", too.
constexpr auto kFunctionKeys = std::to_array<GgufFunctionKey>({
    {"attention.sliding_window", 0, 0},
    {"attention.sliding_window_pattern", 0, 0},
    {"attention.scale", 0, 0},
    {"attention.output_scale", 0, 1},
    {"attention.temperature_length", 0, 0},
    {"attention.temperature_scale", 0, 0},
    {"attention.clamp_kqv", 0, 0},
    {"attention.max_alibi_bias", 0, 0},
    {"attention.causal", 1, 1},
    {"attention.q_lora_rank", 0, 0},
    {"attention.kv_lora_rank", 0, 0},
    {"attention.key_length_mla", 0, 0},
    {"attention.value_length_mla", 0, 0},
    {"attention.key_length_swa", kNever, kNever},
    {"attention.value_length_swa", kNever, kNever},
    {"attention.relative_buckets_count", 0, 0},
    {"attention.shared_kv_layers", 0, 0},
    {"attn_logit_softcapping", 0, 0},
    {"final_logit_softcapping", 0, 0},
    {"router_logit_softcapping", 0, 0},
    {"expert_count", 0, 0},
    {"expert_shared_count", 0, 0},
    {"expert_shared_feed_forward_length", 0, 0},
    {"expert_chunk_feed_forward_length", 0, 0},
    {"expert_weights_scale", 0, 1},
    {"expert_weights_norm", 0, 0},
    {"expert_gating_func", 0, 1},
    {"expert_group_count", 0, 1},
    {"expert_group_used_count", 0, 1},
    {"expert_group_scale", 0, 1},
    {"experts_per_group", 0, 0},
    {"leading_dense_block_count", 0, 0},
    {"moe_every_n_layers", 0, 1},
    {"moe_latent_size", 0, 0},
    {"interleave_moe_layer_step", 0, 1},
    {"full_attention_interval", 0, 1},
    {"logit_scale", 0, 1},
    {"residual_scale", 0, 1},
    {"embedding_scale", 0, 1},
    {"use_parallel_residual", 0, 0},
    {"rescale_every_n_layers", 0, 0},
    {"token_shift_count", 0, 0},
    {"activation_sparsity_scale", kNever, kNever},
    {"altup.num_inputs", 0, 1},
    {"embedding_length_per_layer_input", 0, 0},
    {"embedding_length_out", 0, 0},
    {"swiglu_clamp_exp", 0, 0},
    {"swiglu_clamp_shexp", 0, 0},
    {"decoder_block_count", 0, 0},
    {"pooling_type", 0, 0},
    {"swin_norm", 0, 0},
    {"n_deepstack_layers", 0, 0},
    {"nextn_predict_layers", 0, 0},
    {"rope.dimension_sections", kNever, kNever},
    {"rope.dimension_count_swa", kNever, kNever},
    {"rope.freq_base_swa", kNever, kNever},
    {"rope.scaling.alpha", 0, 1},
    {"rope.scaling.yarn_log_multiplier", 0, 0},
    {"rope.scaling.yarn_ext_factor", -1, 1},
    {"rope.scaling.yarn_attn_factor", 1, 1},
});

bool is_number(const GgufFile& file, const std::string& key, double wanted) {
    try {
        if (const auto number = file.find_float(key)) return *number == wanted;
    } catch (const FormatError&) {
        // not a float
    }
    try {
        if (const auto number = file.find_int(key)) return static_cast<double>(*number) == wanted;
    } catch (const FormatError&) {
        // not an integer
    }
    try {
        if (const auto flag = file.find_bool(key)) return (*flag ? 1.0 : 0.0) == wanted;
    } catch (const FormatError&) {
        // an array or a text
    }
    return false;
}

}  // namespace

std::span<const GgufFunctionKey> gguf_function_keys() {
    return kFunctionKeys;
}

void refuse_gguf_keys(const GgufFile& file, const std::string& prefix,
                      std::initializer_list<std::string_view> handled) {
    for (const GgufFunctionKey& row : kFunctionKeys) {
        const std::string key = prefix + std::string(row.key);
        if (std::find(handled.begin(), handled.end(), row.key) != handled.end()) continue;
        if (!file.contains(key) || is_number(file, key, row.neutral) ||
            is_number(file, key, row.also_neutral)) {
            continue;
        }
        throw Unsupported(
            fmt::format("{}: {} changes what the model computes, and is not supported for this architecture",
                        file.what(), key));
    }
}

}  // namespace assay
