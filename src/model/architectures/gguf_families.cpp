// Source: llama.cpp, gguf-py/gguf/constants.py (keys), src/llama-model.cpp and src/models/ (defaults).
#include "model/architectures/gguf_families.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace assay {
namespace {

using Keys = std::initializer_list<std::string_view>;

std::string prefix_of(const GgufFile& file) {
    return std::string(file.require_string("general.architecture")) + ".";
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

// As llama.cpp has it: the type is linear where none is given, a factor of 0 means none, and cosines and
// sines of all types are multiplied by attn_factor, those of yarn also by 1 + ln(factor) / 10.
RopeConfig parse_rope(const GgufFile& file, const std::string& prefix, const ModelConfig& config) {
    RopeConfig rope;
    rope.theta = file.find_float(prefix + "rope.freq_base").value_or(10000);
    rope.dimensions = optional_size(file, prefix + "rope.dimension_count", config.head_dim);
    rope.attention_factor = file.find_float(prefix + "rope.scaling.attn_factor").value_or(1);
    const std::string type(file.find_string(prefix + "rope.scaling.type").value_or("linear"));
    const double old_factor = file.find_float(prefix + "rope.scale_linear").value_or(0),
                 factor = file.find_float(prefix + "rope.scaling.factor").value_or(old_factor);
    const bool scaled = factor != 0 && factor != 1;
    if (type == "yarn" || type == "longrope")
        rope.original_max_positions = static_cast<double>(
            optional_size(file, prefix + "rope.scaling.original_context_length", config.max_positions));
    if (type == "linear" && scaled) {
        rope.scaling = RopeConfig::Scaling::kLinear;
        rope.factor = factor;
    } else if (type == "yarn") {
        rope.scaling = RopeConfig::Scaling::kYarn;
        rope.factor = scaled ? factor : 1;
        rope.beta_fast = file.find_float(prefix + "rope.scaling.yarn_beta_fast").value_or(32);
        rope.beta_slow = file.find_float(prefix + "rope.scaling.yarn_beta_slow").value_or(1);
        if (rope.factor > 1) rope.attention_factor *= 1 + 0.1 * std::log(rope.factor);
    } else if (type == "longrope" && !scaled) {
        rope.scaling = RopeConfig::Scaling::kLongrope;  // its divisors are tensors
    } else if (type != "none" && type != "linear") {
        throw Unsupported(fmt::format(
            "{}: rope scaling '{}' with factor {} is not supported; none, linear, yarn, and longrope "
            "without a factor are",
            file.what(), type, factor));
    }
    return rope;
}

ModelConfig base(const GgufFile& file, Keys handled) {
    const std::string prefix = prefix_of(file);
    refuse_gguf_keys(file, prefix, handled);
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

void refuse_partial_rotary(const GgufFile& file, const ModelConfig& config) {
    if (config.rope.dimensions == config.head_dim) return;
    throw Unsupported(
        fmt::format("{}: {}rope.dimension_count {} differs from the head's {}, which is not "
                    "supported for this architecture",
                    file.what(), prefix_of(file), config.rope.dimensions, config.head_dim));
}

// A mixture of experts in every layer, as llama.cpp has it.
void set_experts(const GgufFile& file, bool renormalise, ModelConfig& out) {
    const std::string prefix = prefix_of(file);
    out.experts.count = require_size(file, prefix + "expert_count");
    if (out.experts.count > (1 << 16))
        throw FormatError(
            fmt::format("{}: {} experts are more than any model has", file.what(), out.experts.count));
    out.experts.per_token = require_size(file, prefix + "expert_used_count");
    if (out.experts.per_token > out.experts.count)
        throw FormatError(fmt::format("{}: {} experts per token, but only {} experts", file.what(),
                                      out.experts.per_token, out.experts.count));
    out.experts.renormalise = renormalise;
    for (LayerConfig& layer : out.layer) layer.experts = true;
}

// Qwen's experts; without a length of their own they share the dense one.
void set_qwen_experts(const GgufFile& file, bool renormalise, ModelConfig& out) {
    const std::string prefix = prefix_of(file);
    set_experts(file, file.find_bool(prefix + "expert_weights_norm").value_or(renormalise), out);
    out.experts.intermediate =
        optional_size(file, prefix + "expert_feed_forward_length",
                      std::max<std::int64_t>(out.intermediate / out.experts.per_token, 1));
}

// Windows of `attention.sliding_window`, in all layers but every period-th; period 0: in all.
void set_windows(const GgufFile& file, std::int64_t absent, std::uint64_t period, ModelConfig& out) {
    const std::string key = prefix_of(file) + "attention.sliding_window";
    const std::uint64_t window = file.find_uint(key).value_or(static_cast<std::uint64_t>(absent));
    if (window == 0) return;
    const std::int64_t checked = checked_size(file, key, window);
    for (std::size_t i = 0; i < out.layer.size(); ++i)
        out.layer[i].window = period == 0 || (i + 1) % period != 0 ? checked : 0;
}

std::uint64_t window_period(const GgufFile& file, std::uint64_t absent) {
    return file.find_uint(prefix_of(file) + "attention.sliding_window_pattern").value_or(absent);
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

ModelConfig parse_llama_gguf(const GgufFile& file) {
    ModelConfig out = base(file, {"expert_count"});
    refuse_partial_rotary(file, out);
    if (file.find_uint("llama.expert_count").value_or(0) == 0) return out;
    set_experts(file, true, out);
    out.experts.intermediate = out.intermediate;
    return out;
}

ModelConfig parse_qwen2_gguf(const GgufFile& file) {
    ModelConfig out = base(file, {});
    refuse_partial_rotary(file, out);
    return out;
}

ModelConfig parse_qwen3_gguf(const GgufFile& file) {
    ModelConfig out = base(file, {});
    refuse_partial_rotary(file, out);
    out.qk_norm = QkNorm::kHead;
    return out;
}

ModelConfig parse_qwen2_moe_gguf(const GgufFile& file) {
    ModelConfig out =
        base(file, {"expert_count", "expert_shared_feed_forward_length", "expert_weights_norm"});
    refuse_partial_rotary(file, out);
    set_qwen_experts(file, false, out);
    out.experts.shared_intermediate =
        optional_size(file, "qwen2moe.expert_shared_feed_forward_length", out.intermediate);
    return out;
}

ModelConfig parse_qwen3_moe_gguf(const GgufFile& file) {
    ModelConfig out = base(file, {"expert_count", "expert_weights_norm"});
    refuse_partial_rotary(file, out);
    out.qk_norm = QkNorm::kHead;
    set_qwen_experts(file, true, out);
    return out;
}

// The window that the file declares holds, as it does for transformers; llama.cpp itself leaves it out.
ModelConfig parse_phi3_gguf(const GgufFile& file) {
    ModelConfig out = base(file, {"attention.sliding_window"});
    if (file.tensors().contains("rope_factors_long.weight")) {  // the converter writes no scaling type
        if (out.rope.scaling != RopeConfig::Scaling::kNone &&
            out.rope.scaling != RopeConfig::Scaling::kLongrope) {
            throw Unsupported(file.what() +
                              ": longrope's divisors with another rope scaling are not supported");
        }
        out.rope.scaling = RopeConfig::Scaling::kLongrope;
        out.rope.original_max_positions = static_cast<double>(
            optional_size(file, "phi3.rope.scaling.original_context_length", out.max_positions));
    }
    set_windows(file, 0, 0, out);
    return out;
}

ModelConfig parse_gemma2_gguf(const GgufFile& file) {
    ModelConfig out = base(file, {"attention.sliding_window", "attention.sliding_window_pattern",
                                  "attn_logit_softcapping", "final_logit_softcapping"});
    refuse_partial_rotary(file, out);
    set_gemma_scales(46, out);
    out.attention_softcap = cap(file, "attn_logit_softcapping", 50);
    out.final_softcap = cap(file, "final_logit_softcapping", 30);
    set_windows(file, 4096, window_period(file, 2), out);
    return out;
}

ModelConfig parse_gemma3_gguf(const GgufFile& file) {
    ModelConfig out = base(file, {"attention.sliding_window", "attention.sliding_window_pattern",
                                  "final_logit_softcapping", "rope.freq_base_swa"});
    refuse_partial_rotary(file, out);
    const bool plain =
        out.rope.scaling == RopeConfig::Scaling::kNone || out.rope.scaling == RopeConfig::Scaling::kLinear;
    if (!plain || out.rope.attention_factor != 1)
        throw Unsupported(file.what() + ": gemma3.rope.scaling other than linear is not supported");
    set_gemma_scales(62, out);
    out.qk_norm = QkNorm::kHead;
    out.final_softcap = cap(file, "final_logit_softcapping", 0);
    set_windows(file, 0, window_period(file, 6), out);
    out.local_rope = {.theta = file.find_float("gemma3.rope.freq_base_swa").value_or(10000),
                      .dimensions = out.head_dim};
    for (LayerConfig& layer : out.layer) layer.local_rope = layer.window > 0;
    return out;
}

ModelConfig parse_olmo2_gguf(const GgufFile& file) {
    ModelConfig out = base(file, {});
    refuse_partial_rotary(file, out);
    out.qk_norm = QkNorm::kProjection;
    return out;
}

}  // namespace assay
