// How safetensors headers spell element types.
#pragma once

#include <optional>
#include <string_view>

#include "tensor/dtype.h"

namespace assay {

// "BF16" -> kBF16; nothing for a spelling that the format does not know (letter case counts).
std::optional<DType> find_safetensors_dtype(std::string_view spelling);

std::string_view safetensors_dtype(DType type);

}  // namespace assay
