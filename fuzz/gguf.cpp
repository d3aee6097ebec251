// Fuzz target: any bytes as a GGUF file. Only FormatError may come out; accepted tensors must lie in the
// bytes and decode where their type has a decoder, and every key must read as some type.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "container/gguf.h"
#include "touch.h"

namespace {

void check(const assay::GgufTensor& tensor) {
    touch(tensor.bytes);
    const assay::GgmlTypeInfo info = assay::ggml_type_info(tensor.type);
    const auto elements = static_cast<std::uint64_t>(assay::element_count(tensor.shape));
    if (elements / info.block_elements * info.block_bytes != tensor.bytes.size()) std::abort();
    if (!assay::ggml_decodable(tensor.type)) return;
    std::vector<float> values(elements);
    assay::decode_ggml(tensor.type, tensor.bytes, values);
}

template <class Find>
void attempt(Find find) {
    try {
        find();
    } catch (const assay::FormatError&) {
    }
}

void read_as_each_type(const assay::GgufFile& file, std::string_view key) {
    attempt([&] { file.find_string(key); });
    attempt([&] { file.find_bool(key); });
    attempt([&] { file.find_int(key); });
    attempt([&] { file.find_uint(key); });
    attempt([&] { file.find_float(key); });
    attempt([&] { file.find_strings(key); });
    attempt([&] { file.find_ints(key); });
    attempt([&] { file.find_floats(key); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        const assay::GgufFile file(std::as_bytes(std::span(data, size)), "input");
        for (const auto& [name, tensor] : file.tensors()) check(tensor);
        for (const std::string_view key : file.keys()) read_as_each_type(file, key);
    } catch (const assay::FormatError&) {
    }
    return 0;
}
