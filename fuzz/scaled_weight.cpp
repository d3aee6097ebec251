// Fuzz target: bytes up to the first NUL as a config.json, the rest as a safetensors file, whose tensors are
// read as weights. Only FormatError (Unsupported is one) may come out.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/error.h"
#include "model/quantization_config.h"
#include "model/scaled_weight.h"

namespace {

void read_weight(const assay::TensorMap& tensors, std::string_view name,
                 const assay::QuantizedStorage& storage) {
    try {
        const assay::ScaledWeight weight = assay::find_weight(tensors, name, storage, name);
        const assay::Shape& shape = weight.numbers->shape;
        const std::int64_t cols = shape.empty() ? 1 : shape.back(),
                           rows = cols == 0 ? 0 : assay::element_count(shape) / cols;
        assay::Matrix<float> out(rows, cols);
        assay::read_rows(weight, 0, out.view());
        if (rows > 1) assay::read_rows(weight, rows / 2, out.view().row_range(0, rows - rows / 2));
    } catch (const assay::FormatError&) {
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::string_view config = input.substr(0, input.find('\0'));
    const auto bytes = std::as_bytes(std::span(data, size)).subspan(std::min(size, config.size() + 1));
    try {
        const auto storage = assay::read_quantization_config(assay::parse_json(config, "input"), "input");
        const assay::SafetensorsFile file(bytes, "input");
        for (const auto& [name, tensor] : file.tensors()) {
            if (!assay::is_scale(file.tensors(), name)) read_weight(file.tensors(), name, storage);
        }
    } catch (const assay::FormatError&) {
    }
    return 0;
}
