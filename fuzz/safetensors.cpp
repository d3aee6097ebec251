// Fuzz target: any bytes as a safetensors file. Only FormatError may come out; accepted tensors must lie in
// the bytes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "base/error.h"
#include "container/safetensors.h"
#include "touch.h"

namespace {

void check(const assay::TensorView& tensor) {
    touch(tensor.bytes);
    const auto elements = static_cast<std::uint64_t>(assay::element_count(tensor.shape));
    if (elements * static_cast<std::uint64_t>(assay::dtype_bits(tensor.dtype)) != tensor.bytes.size() * 8)
        std::abort();
    if (!assay::readable_as_f32(tensor.dtype)) return;
    std::vector<float> values(elements);
    assay::to_f32(tensor, 0, values);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        const assay::SafetensorsFile file(std::as_bytes(std::span(data, size)), "input");
        for (const auto& [name, tensor] : file.tensors()) check(tensor);
    } catch (const assay::FormatError&) {
    }
    return 0;
}
