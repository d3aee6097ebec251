// Source: llama.cpp, gguf-py/gguf/constants.py (keys), src/llama-model.cpp (defaults).
#include "model/architectures/gguf_families.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace assay {
namespace {

constexpr auto kFunctionKeys = std::to_array<GgufFunctionKey>({
    {"attention.sliding_window", 0},
    {"attention.sliding_window_pattern", 0},
    {"attention.scale", 0},
    {"attention.clamp_kqv", 0},
    {"attention.max_alibi_bias", 0},
    {"attention.causal", 1},
    {"attention.key_length_mla", 0},
    {"attention.shared_kv_layers", 0},
    {"attn_logit_softcapping", 0},
    {"final_logit_softcapping", 0},
    {"expert_count", 0},
    {"expert_shared_count", 0},
    {"expert_shared_feed_forward_length", 0},
    {"expert_weights_scale", 1},
    {"expert_weights_norm", 0},
    {"expert_gating_func", 1},
    {"expert_group_count", 1},
    {"leading_dense_block_count", 0},
    {"moe_every_n_layers", 1},
    {"interleave_moe_layer_step", 1},
    {"logit_scale", 1},
    {"residual_scale", 1},
    {"embedding_scale", 1},
    {"use_parallel_residual", 0},
    {"embedding_length_per_layer_input", 0},
    {"rope.dimension_sections", 0},
    {"rope.freq_base_swa", 0},
    {"nextn_predict_layers", 0},
});

using Keys = std::initializer_list<std::string_view>;

std::string prefix_of(const GgufFile& file) {
    return std::string(file.require_string("general.architecture")) + ".";
}

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

void refuse_unhandled(const GgufFile& file, const std::string& prefix, Keys handled) {
    for (const GgufFunctionKey& row : kFunctionKeys) {
        const std::string key = prefix + std::string(row.key);
        if (std::find(handled.begin(), handled.end(), row.key) != handled.end()) continue;
        if (!file.contains(key) || is_number(file, key, row.neutral)) continue;
        throw Unsupported(
            fmt::format("{}: {} changes what the model computes, and is not supported for this architecture",
                        file.what(), key));
    }
}

std::int64_t checked_size(const GgufFile& file, const std::string& key, std::uint64_t value) {
    if (value == 0 || value > (std::uint64_t{1} << 31))
        throw FormatError(fmt::format("{}: {} is {}", file.what(), key, value));
    return static_cast<std::int64_t>(value);
}

std::int64_t require_size(const GgufFile& file, const std::string& key) {
    return checked_size(file, key, file.require_uint(key));
}

std::int64_t optional_size(const GgufFile& file, const std::string& key, std::int64_t absent) {
    return checked_size(file, key, file.find_uint(key).value_or(static_cast<std::uint64_t>(absent)));
}

std::int64_t vocabulary_of(const GgufFile& file) {
    const auto embedding = file.tensors().find("token_embd.weight");
    if (embedding == file.tensors().end() || embedding->second.shape.size() != 2)
        throw FormatError(file.what() + ": tensor token_embd.weight [vocabulary, hidden] is missing");
    return embedding->second.shape[0];
}

RopeConfig parse_rope(const GgufFile& file, const std::string& prefix, const ModelConfig& config) {
    RopeConfig rope;
    rope.theta = file.find_float(prefix + "rope.freq_base").value_or(10000);
    rope.dimensions = optional_size(file, prefix + "rope.dimension_count", config.head_dim);
    const std::string type(file.find_string(prefix + "rope.scaling.type").value_or("none"));
    rope.original_max_positions = static_cast<double>(
        optional_size(file, prefix + "rope.scaling.original_context_length", config.max_positions));
    if (type == "linear" || type == "yarn") rope.factor = file.require_float(prefix + "rope.scaling.factor");
    const double attention = file.find_float(prefix + "rope.scaling.attn_factor").value_or(1);
    if (type == "linear") {
        rope.scaling = RopeConfig::Scaling::kLinear;
    } else if (type == "yarn") {
        rope.scaling = RopeConfig::Scaling::kYarn;
        rope.attention_factor = attention * (rope.factor > 1 ? 1 + 0.1 * std::log(rope.factor) : 1);
    } else if (type == "longrope") {
        rope.scaling = RopeConfig::Scaling::kLongrope;  // its factors are tensors
        rope.attention_factor = attention;
    } else if (type != "none") {
        throw Unsupported(
            fmt::format("{}: rope scaling '{}' is not supported; none, linear, yarn and longrope are",
                        file.what(), type));
    }
    return rope;
}

ModelConfig base(const GgufFile& file, Keys handled) {
    const std::string prefix = prefix_of(file);
    refuse_unhandled(file, prefix, handled);
    const auto has = [&](const char* tensor) { return file.tensors().contains(tensor); };
    ModelConfig out;
    out.hidden = require_size(file, prefix + "embedding_length");
    out.intermediate = require_size(file, prefix + "feed_forward_length");
    out.layers = require_size(file, prefix + "block_count");
    if (out.layers > 100000)
        throw FormatError(fmt::format("{}: {} layers are more than any model has", file.what(), out.layers));
    out.heads = require_size(file, prefix + "attention.head_count");
    out.kv_heads = optional_size(file, prefix + "attention.head_count_kv", out.heads);
    out.head_dim = optional_size(file, prefix + "attention.key_length",
                                 std::max<std::int64_t>(out.hidden / out.heads, 1));
    if (optional_size(file, prefix + "attention.value_length", out.head_dim) != out.head_dim)
        throw Unsupported(file.what() + ": keys and values of different length are not supported");
    out.vocabulary = vocabulary_of(file);
    out.max_positions = require_size(file, prefix + "context_length");
    out.rms_eps = file.require_float(prefix + "attention.layer_norm_rms_epsilon");
    out.tied_head = !has("output.weight");
    out.qkv_bias = has("blk.0.attn_q.bias");
    out.output_bias = has("blk.0.attn_output.bias");
    out.mlp_bias = has("blk.0.ffn_up.bias");
    out.attention_scale = 1 / std::sqrt(static_cast<double>(out.head_dim));
    out.rope = parse_rope(file, prefix, out);
    out.layer.resize(static_cast<std::size_t>(out.layers));
    return out;
}

// A mixture of experts in every layer, as llama.cpp has it.
void set_experts(const GgufFile& file, bool renormalise, ModelConfig& out) {
    const std::string prefix = prefix_of(file);
    const std::uint64_t count = file.find_uint(prefix + "expert_count").value_or(0);
    if (count == 0) return;
    out.experts.count = checked_size(file, prefix + "expert_count", count);
    if (out.experts.count > (1 << 16))
        throw FormatError(fmt::format("{}: {} experts are more than any model has", file.what(), count));
    out.experts.per_token = require_size(file, prefix + "expert_used_count");
    if (out.experts.per_token > out.experts.count)
        throw FormatError(fmt::format("{}: {} experts per token, but only {} experts", file.what(),
                                      out.experts.per_token, out.experts.count));
    out.experts.intermediate = optional_size(file, prefix + "expert_feed_forward_length", out.intermediate);
    out.experts.renormalise = renormalise;
    for (LayerConfig& layer : out.layer) layer.experts = true;
}

// Windows of `attention.sliding_window` in the layers that `slides` names.
void set_windows(const GgufFile& file, std::int64_t absent, bool (*slides)(std::int64_t), ModelConfig& out) {
    const std::string key = prefix_of(file) + "attention.sliding_window";
    const std::uint64_t window = file.find_uint(key).value_or(static_cast<std::uint64_t>(absent));
    if (window == 0) return;
    for (std::size_t i = 0; i < out.layer.size(); ++i) {
        if (slides(static_cast<std::int64_t>(i))) out.layer[i].window = checked_size(file, key, window);
    }
}

double cap(const GgufFile& file, const char* key, double absent) {
    const double value = file.find_float(prefix_of(file) + key).value_or(absent);
    if (!(value >= 0) || !std::isfinite(value))
        throw FormatError(fmt::format("{}: {} is {}", file.what(), key, value));
    return value;
}

// GGUF has no query_pre_attn_scalar: llama.cpp tells the 27B models, which alone differ, by their layers.
void set_gemma_scales(std::int64_t layers_of_27b, ModelConfig& out) {
    out.embedding_scale = std::sqrt(static_cast<double>(out.hidden));
    out.norm_offset = 1;  // the source takes off the 1 that the file has added
    out.activation = compute::Activation::kGeluTanh;
    const std::int64_t scalar = out.layers == layers_of_27b ? out.hidden / out.heads : out.head_dim;
    out.attention_scale = 1 / std::sqrt(static_cast<double>(scalar));
}

}  // namespace

std::span<const GgufFunctionKey> gguf_function_keys() {
    return kFunctionKeys;
}

ModelConfig parse_llama_gguf(const GgufFile& file) {
    ModelConfig out = base(file, {"expert_count"});
    set_experts(file, true, out);
    return out;
}

ModelConfig parse_qwen_gguf(const GgufFile& file) {
    ModelConfig out =
        base(file, {"expert_count", "expert_shared_feed_forward_length", "expert_weights_norm"});
    const std::string_view name = file.require_string("general.architecture");
    const bool third = name == "qwen3" || name == "qwen3moe";
    if (third) out.qk_norm = QkNorm::kHead;
    set_experts(file, third, out);
    const std::string shared = prefix_of(file) + "expert_shared_feed_forward_length";
    if (out.experts.count > 0 && file.contains(shared))
        out.experts.shared_intermediate = require_size(file, shared);
    if (const auto norm = file.find_bool(prefix_of(file) + "expert_weights_norm"))
        out.experts.renormalise = *norm;
    return out;
}

ModelConfig parse_phi3_gguf(const GgufFile& file) {
    ModelConfig out = base(file, {"attention.sliding_window"});
    out.mlp_bias = false;
    if (file.tensors().contains("rope_factors_long.weight"))
        out.rope.scaling = RopeConfig::Scaling::kLongrope;
    if (out.rope.scaling == RopeConfig::Scaling::kLongrope)
        out.rope.attention_factor = file.find_float("phi3.rope.scaling.attn_factor").value_or(1);
    set_windows(
        file, 0, [](std::int64_t) { return true; }, out);
    return out;
}

ModelConfig parse_gemma2_gguf(const GgufFile& file) {
    ModelConfig out =
        base(file, {"attention.sliding_window", "attn_logit_softcapping", "final_logit_softcapping"});
    set_gemma_scales(46, out);
    out.attention_softcap = cap(file, "attn_logit_softcapping", 50);
    out.final_softcap = cap(file, "final_logit_softcapping", 30);
    set_windows(
        file, 4096, [](std::int64_t layer) { return layer % 2 == 0; }, out);
    return out;
}

ModelConfig parse_gemma3_gguf(const GgufFile& file) {
    ModelConfig out =
        base(file, {"attention.sliding_window", "final_logit_softcapping", "rope.freq_base_swa"});
    set_gemma_scales(62, out);
    out.qk_norm = QkNorm::kHead;
    out.final_softcap = cap(file, "final_logit_softcapping", 0);
    set_windows(
        file, 0, [](std::int64_t layer) { return (layer + 1) % 6 != 0; }, out);
    out.local_rope = {.theta = file.find_float("gemma3.rope.freq_base_swa").value_or(10000),
                      .dimensions = out.head_dim};
    for (LayerConfig& layer : out.layer) layer.local_rope = layer.window > 0;
    return out;
}

ModelConfig parse_olmo2_gguf(const GgufFile& file) {
    ModelConfig out = base(file, {});
    out.qk_norm = QkNorm::kProjection;
    return out;
}

}  // namespace assay
