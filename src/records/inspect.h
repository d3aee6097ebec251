// The result of `assay inspect`: what a model's files hold.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace assay {

struct InspectTensor {
    std::string name;
    std::string dtype;                // as stored: "bf16", "Q4_1"
    std::vector<std::int64_t> shape;  // slowest dimension first
    std::int64_t bytes = 0;

    bool operator==(const InspectTensor&) const = default;
};

// All tensors of one stored type together.
struct DtypeTotal {
    std::string dtype;
    std::int64_t tensors = 0;
    std::int64_t parameters = 0;
    std::int64_t bytes = 0;

    bool operator==(const DtypeTotal&) const = default;
};

struct ConfigSummary {
    std::int64_t hidden = 0;
    std::int64_t intermediate = 0;
    std::int64_t layers = 0;
    std::int64_t heads = 0;
    std::int64_t kv_heads = 0;
    std::int64_t head_dim = 0;
    std::int64_t vocabulary = 0;
    std::int64_t max_positions = 0;
    bool tied_head = false;
    double rope_theta = 0;
    std::string rope_scaling;  // "none", "linear", "llama3"

    bool operator==(const ConfigSummary&) const = default;
};

struct InspectResult {
    std::string path;
    std::string format;  // "safetensors" or "gguf"
    std::string architecture;
    std::optional<ConfigSummary> config;  // none where Assay does not know the architecture
    std::vector<InspectTensor> tensors;   // by name
    std::vector<DtypeTotal> dtype_totals;
    std::int64_t parameters = 0;
    std::int64_t bytes = 0;  // of the tensors' data
    std::int64_t linear_count = 0;
    std::vector<std::string> warnings;  // one sentence each

    bool operator==(const InspectResult&) const = default;
};

}  // namespace assay
