#include "model/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace assay {
namespace {

void expect_size(const std::string& what, const char* field, std::int64_t value) {
    constexpr std::int64_t kLargest = std::int64_t{1} << 31;
    if (value <= 0 || value > kLargest) {
        throw FormatError(
            fmt::format("{}: {} is {}, expected a number between 1 and {}", what, field, value, kLargest));
    }
}

void expect_positive(const std::string& what, const char* field, double value) {
    if (!(value > 0) || !std::isfinite(value)) {
        throw FormatError(fmt::format("{}: {} is {}, expected a positive number", what, field, value));
    }
}

void validate_rope(const RopeConfig& rope, std::int64_t head_dim, const std::string& what) {
    using Scaling = RopeConfig::Scaling;
    if (rope.dimensions <= 0 || rope.dimensions > head_dim || rope.dimensions % 2 != 0) {
        throw FormatError(
            fmt::format("{}: {} of a head's {} dimensions are rotated, expected an even number of them", what,
                        rope.dimensions, head_dim));
    }
    expect_positive(what, "rope theta", rope.theta);
    expect_positive(what, "rope scaling factor", rope.factor);
    expect_positive(what, "rope attention factor", rope.attention_factor);
    if (rope.scaling != Scaling::kNone && rope.scaling != Scaling::kLinear)
        expect_positive(what, "rope original_max_position_embeddings", rope.original_max_positions);
    if (rope.scaling == Scaling::kYarn) {
        expect_positive(what, "rope beta_fast", rope.beta_fast);
        expect_positive(what, "rope beta_slow", rope.beta_slow);
        if (!(rope.theta > 1)) throw FormatError(what + ": yarn needs a rope theta above 1");
    }
    if (rope.scaling != Scaling::kLlama3) return;
    expect_positive(what, "rope low_freq_factor", rope.low_freq_factor);
    if (!(rope.high_freq_factor > rope.low_freq_factor)) {
        throw FormatError(fmt::format("{}: rope high_freq_factor {} must be above low_freq_factor {}", what,
                                      rope.high_freq_factor, rope.low_freq_factor));
    }
}

}  // namespace

void validate(const ModelConfig& config, const std::string& what) {
    expect_size(what, "hidden size", config.hidden);
    expect_size(what, "intermediate size", config.intermediate);
    expect_size(what, "number of layers", config.layers);
    expect_size(what, "number of attention heads", config.heads);
    expect_size(what, "number of key/value heads", config.kv_heads);
    expect_size(what, "head dimension", config.head_dim);
    expect_size(what, "vocabulary size", config.vocabulary);
    expect_size(what, "context length", config.max_positions);
    if (config.layers > 100000)
        throw FormatError(fmt::format("{}: {} layers are more than any model has", what, config.layers));
    if (config.heads % config.kv_heads != 0) {
        throw FormatError(fmt::format("{}: {} attention heads cannot share {} key/value heads evenly", what,
                                      config.heads, config.kv_heads));
    }
    expect_size(what, "heads times head dimension", config.heads * config.head_dim);
    expect_positive(what, "RMSNorm epsilon", config.rms_eps);
    expect_positive(what, "attention scale", config.attention_scale);
    expect_positive(what, "embedding scale", config.embedding_scale);
    if (static_cast<std::int64_t>(config.layer.size()) != config.layers)
        throw FormatError(fmt::format("{}: {} layers are described, expected {}", what, config.layer.size(),
                                      config.layers));
    validate_rope(config.rope, config.head_dim, what);
    const bool local = std::any_of(config.layer.begin(), config.layer.end(),
                                   [](const LayerConfig& layer) { return layer.local_rope; });
    if (local) validate_rope(config.local_rope, config.head_dim, what);
    if (config.experts.count == 0) return;
    expect_size(what, "number of experts", config.experts.count);
    expect_size(what, "experts per token", config.experts.per_token);
    expect_size(what, "an expert's intermediate size", config.experts.intermediate);
    if (config.experts.per_token > config.experts.count) {
        throw FormatError(fmt::format("{}: {} experts per token, but only {} experts", what,
                                      config.experts.per_token, config.experts.count));
    }
}

}  // namespace assay
