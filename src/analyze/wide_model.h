// A model wide enough for groups of weights, with healthy ones. Used by tests only.
#pragma once

#include <cmath>
#include <cstdint>
#include <memory>

#include "model/test_models.h"
#include "quantize/interventions.h"

namespace assay {

inline ModelConfig wide_config() {
    ModelConfig config = small_llama_config();
    config.hidden = 128;
    config.intermediate = 256;
    config.head_dim = 32;
    config.attention_scale = 1 / std::sqrt(32.0);
    config.rope.dimensions = 32;
    return config;
}

// Gaussian matrices.
inline std::shared_ptr<MemoryWeights> healthy_weights(const ModelConfig& config) {
    auto weights = random_weights(config, 3);
    std::uint64_t seed = 0;
    for (auto& [name, w] : weights->matrices) w = gaussian_twin(w.view(), ++seed);
    return weights;
}

}  // namespace assay
