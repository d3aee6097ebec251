#include "model/config.h"

#include <fmt/format.h>

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
    if (config.head_dim % 2 != 0)
        throw FormatError(
            fmt::format("{}: head dimension {} is odd, rotary needs pairs", what, config.head_dim));
    expect_size(what, "heads times head dimension", config.heads * config.head_dim);
    expect_positive(what, "RMSNorm epsilon", config.rms_eps);
    expect_positive(what, "rope theta", config.rope.theta);
    expect_positive(what, "rope scaling factor", config.rope.factor);
    if (config.rope.scaling == RopeConfig::Scaling::kLlama3) {
        expect_positive(what, "rope low_freq_factor", config.rope.low_freq_factor);
        expect_positive(what, "rope original_max_position_embeddings", config.rope.original_max_positions);
        if (!(config.rope.high_freq_factor > config.rope.low_freq_factor)) {
            throw FormatError(fmt::format("{}: rope high_freq_factor {} must be above low_freq_factor {}",
                                          what, config.rope.high_freq_factor, config.rope.low_freq_factor));
        }
    }
}

}  // namespace assay
