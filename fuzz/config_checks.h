// What holds for every config that a parser accepts. Shared by the fuzz targets config and gguf_config.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdlib>

#include "base/error.h"
#include "model/architectures.h"
#include "model/architectures/hf_writer.h"
#include "model/rope.h"

inline void check_rope(const assay::RopeConfig& rope) {
    constexpr std::int64_t kFrequencies = 1 << 12;  // a real head has 64; more would only be slow here
    if (rope.dimensions > 2 * kFrequencies) return;
    for (const float f : assay::rope_frequencies(rope)) {
        if (std::isnan(f) || f < 0) std::abort();
    }
}

// Its blocks' matrices have sizes; its config.json is refused or reads as the same model (the writer checks
// that).
inline void check_config(assay::ModelConfig config, const assay::Architecture& architecture) {
    config.architecture = architecture.hf_name;
    assay::validate(config, "input");
    check_rope(config.rope);
    for (const assay::LayerConfig& layer : config.layer) {
        if (layer.window < 0) std::abort();
    }
    if (config.experts.count > 256) return;  // more would only be slow here, as the next
    for (const std::int64_t layer : {std::int64_t{0}, config.layers - 1}) {
        for (const std::int64_t cols : architecture.block(config, layer).slot_cols) {
            if (cols <= 0) std::abort();
        }
    }
    if (config.layers > 100 || config.head_dim > 1 << 12) return;
    try {
        assay::write_hf_config(config);
    } catch (const assay::Unsupported&) {
    }
}
