// Llama's numbers from config.json and from GGUF metadata.
#include <fmt/format.h>

#include "base/error.h"
#include "model/architectures/llama.h"

namespace assay {
namespace {

void apply_rope_type(const std::string& type, const Json& rope, const std::string& where, RopeConfig& out) {
    if (type == "default") return;
    out.factor = require_number(rope, "factor", where);
    if (type == "linear") {
        out.scaling = RopeConfig::Scaling::kLinear;
    } else if (type == "llama3") {
        out.scaling = RopeConfig::Scaling::kLlama3;
        out.low_freq_factor = require_number(rope, "low_freq_factor", where);
        out.high_freq_factor = require_number(rope, "high_freq_factor", where);
        out.original_max_positions = require_number(rope, "original_max_position_embeddings", where);
    } else {
        throw Unsupported(
            fmt::format("{}: rope type '{}' is not supported; default, linear and llama3 are", where, type));
    }
}

// rope_scaling (flat configs) or rope_parameters (nested ones); where both exist rope_scaling wins, as in
// transformers.
RopeConfig parse_rope(const Json& config, std::string_view what) {
    RopeConfig rope;
    rope.theta = optional_number(config, "rope_theta", what).value_or(10000);
    const char* key =
        optional_member(config, "rope_scaling", what) != nullptr ? "rope_scaling" : "rope_parameters";
    const Json* nested = optional_object(config, key, what);
    if (nested == nullptr) return rope;
    const std::string where = json_path(what, key);
    rope.theta = optional_number(*nested, "rope_theta", where).value_or(rope.theta);
    if (optional_number(*nested, "partial_rotary_factor", where).value_or(1) != 1) {
        throw Unsupported(where +
                          ": partial_rotary_factor other than 1 is not supported for this architecture");
    }
    const auto type = optional_string(*nested, "rope_type", where);
    const auto legacy = optional_string(*nested, "type", where);
    apply_rope_type(type.value_or(legacy.value_or("default")), *nested, where, rope);
    return rope;
}

std::int64_t require_size(const GgufFile& file, const std::string& key) {
    const std::uint64_t value = file.require_uint(key);
    if (value == 0 || value > (std::uint64_t{1} << 31))
        throw FormatError(fmt::format("{}: {} is {}", file.what(), key, value));
    return static_cast<std::int64_t>(value);
}

void refuse_unhandled(const GgufFile& file, const std::string& prefix) {
    if (file.find_uint(prefix + "expert_count").value_or(0) > 0) {
        throw Unsupported(file.what() + ": mixture-of-experts models are not supported yet");
    }
    const auto scaling = file.find_string(prefix + "rope.scaling.type").value_or("none");
    if (scaling != "none" && scaling != "linear") {
        throw Unsupported(
            fmt::format("{}: rope scaling '{}' is not supported; none and linear are", file.what(), scaling));
    }
    if (file.contains(prefix + "attention.sliding_window")) {
        throw Unsupported(file.what() + ": sliding-window attention is not supported for this architecture");
    }
}

}  // namespace

ModelConfig parse_llama_hf(const Json& config, std::string_view what) {
    const IntRange size{1, std::int64_t{1} << 31};
    ModelConfig out;
    out.hidden = require_int(config, "hidden_size", what, size);
    out.intermediate = require_int(config, "intermediate_size", what, size);
    out.layers = require_int(config, "num_hidden_layers", what, size);
    out.heads = require_int(config, "num_attention_heads", what, size);
    out.kv_heads = optional_int(config, "num_key_value_heads", what, size).value_or(out.heads);
    out.head_dim = optional_int(config, "head_dim", what, size).value_or(out.hidden / out.heads);
    out.vocabulary = require_int(config, "vocab_size", what, size);
    out.max_positions = optional_int(config, "max_position_embeddings", what, size).value_or(2048);
    out.rms_eps = optional_number(config, "rms_norm_eps", what).value_or(1e-6);
    out.tied_head = optional_bool(config, "tie_word_embeddings", what).value_or(false);
    out.attention_bias = optional_bool(config, "attention_bias", what).value_or(false);
    out.mlp_bias = optional_bool(config, "mlp_bias", what).value_or(false);
    out.rope = parse_rope(config, what);
    const std::string activation = optional_string(config, "hidden_act", what).value_or("silu");
    if (activation != "silu") {
        throw Unsupported(fmt::format("{}: hidden_act '{}' is not supported; silu is", what, activation));
    }
    return out;
}

ModelConfig parse_llama_gguf(const GgufFile& file) {
    const std::string prefix = "llama.";
    refuse_unhandled(file, prefix);
    const auto embedding = file.tensors().find("token_embd.weight");
    if (embedding == file.tensors().end() || embedding->second.shape.size() != 2) {
        throw FormatError(file.what() + ": tensor token_embd.weight [vocabulary, hidden] is missing");
    }
    ModelConfig out;
    out.hidden = require_size(file, prefix + "embedding_length");
    out.intermediate = require_size(file, prefix + "feed_forward_length");
    out.layers = require_size(file, prefix + "block_count");
    out.heads = require_size(file, prefix + "attention.head_count");
    out.kv_heads = static_cast<std::int64_t>(
        file.find_uint(prefix + "attention.head_count_kv").value_or(static_cast<std::uint64_t>(out.heads)));
    out.head_dim =
        static_cast<std::int64_t>(file.find_uint(prefix + "attention.key_length")
                                      .value_or(static_cast<std::uint64_t>(out.hidden / out.heads)));
    out.vocabulary = embedding->second.shape[0];
    out.max_positions = require_size(file, prefix + "context_length");
    out.rms_eps = file.require_float(prefix + "attention.layer_norm_rms_epsilon");
    out.tied_head = !file.tensors().contains("output.weight");
    out.attention_bias = file.tensors().contains("blk.0.attn_q.bias");
    out.mlp_bias = file.tensors().contains("blk.0.ffn_up.bias");
    out.rope.theta = file.find_float(prefix + "rope.freq_base").value_or(10000);
    if (file.find_string(prefix + "rope.scaling.type") == "linear") {
        out.rope.scaling = RopeConfig::Scaling::kLinear;
        out.rope.factor = file.require_float(prefix + "rope.scaling.factor");
    }
    const auto rotary = file.find_uint(prefix + "rope.dimension_count");
    if (rotary && *rotary != static_cast<std::uint64_t>(out.head_dim)) {
        throw Unsupported(
            fmt::format("{}: rotary dimension {} differs from the head dimension {}, which is not supported",
                        file.what(), *rotary, out.head_dim));
    }
    return out;
}

}  // namespace assay
