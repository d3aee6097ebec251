// What a config.json says about quantized weights, and whether they can be read exactly.
#pragma once

#include <cstdint>
#include <string>

#include "container/json.h"

namespace assay {

// How a folder's tensors hold its weights.
struct QuantizedStorage {
    bool scaled = false;  // linears are 8-bit numbers with scales beside them (model/scaled_weight.h)
    std::int64_t block_rows = 128, block_cols = 128;  // of the matrix, to one block scale
    std::string refusal;  // why the weights cannot be read exactly; empty: they can be
};

// Reads "quantization_config" (or "compression_config", its old name); without one, weights are plain
// numbers. Readable are: quant_method "fp8" with scales per block or per tensor (DeepSeek-V3, Qwen3-FP8), and
// "compressed-tensors" in the formats float-quantized, naive-quantized and int-quantized with symmetric
// weights. Only weights are read: checkpoints such as W8A8 have their runtime round activations too, which
// Assay does not do here.
// Throws FormatError naming `what` for members of a wrong type. Source: transformers
// utils/quantization_config.py, compressed-tensors quantization/{quant_args,quant_config}.py.
QuantizedStorage read_quantization_config(const Json& config, const std::string& what);

}  // namespace assay
