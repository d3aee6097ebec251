// Fuzz target: any bytes as a GGUF file that is a model. Only FormatError may come out, of its metadata as of
// its tensors under Hugging Face's names; what an accepted config must be stands in config_checks.h.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "config_checks.h"
#include "container/gguf.h"
#include "model/gguf_source.h"

namespace {

void read_all(const assay::GgufSource& source) {
    constexpr std::int64_t kElements = 1 << 16;
    for (const assay::StoredTensor& tensor : source.tensors()) {
        const std::int64_t elements = assay::element_count(tensor.shape),
                           cols = tensor.shape.empty() ? 1 : tensor.shape.back();
        if (source.shape(tensor.name) != tensor.shape || !source.contains(tensor.name)) std::abort();
        if (elements > kElements || cols == 0) continue;
        assay::Matrix<float> values(elements / cols, cols);
        try {
            source.read(tensor.name, 0, values.view());
        } catch (const assay::FormatError&) {
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        const auto file =
            std::make_shared<const assay::GgufFile>(std::as_bytes(std::span(data, size)), "input");
        const assay::Architecture& architecture = assay::find_gguf_architecture(*file);
        read_all(assay::GgufSource(file, &architecture));
        check_config(architecture.parse_gguf(*file), architecture);
    } catch (const assay::FormatError&) {
    }
    return 0;
}
