#include "container/safetensors_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "container/json.h"
#include "container/safetensors_dtype.h"
#include "container/tensor_bytes.h"

namespace assay {
namespace {

std::vector<TensorDeclaration> in_file_order(std::vector<TensorDeclaration> tensors) {
    std::sort(tensors.begin(), tensors.end(), [](const TensorDeclaration& a, const TensorDeclaration& b) {
        return std::make_tuple(-dtype_bits(a.dtype), std::string_view(a.name)) <
               std::make_tuple(-dtype_bits(b.dtype), std::string_view(b.name));
    });
    return tensors;
}

std::vector<Section> sections_of(std::span<const TensorDeclaration> tensors) {
    std::vector<Section> sections;
    for (const TensorDeclaration& tensor : tensors) {
        const auto bytes = tensor_bytes(tensor.shape, tensor.dtype);
        if (!bytes) {
            throw InvalidArgument(fmt::format("{}: shape {} of {} overflows or is no whole number of bytes",
                                              tensor.name, to_string(tensor.shape),
                                              dtype_name(tensor.dtype)));
        }
        sections.push_back({.name = tensor.name, .bytes = *bytes});
    }
    return sections;
}

Json header_json(std::span<const TensorDeclaration> tensors, std::span<const Section> sections,
                 const std::map<std::string, std::string>& metadata) {
    Json header = {{"__metadata__", metadata}};
    std::uint64_t offset = 0;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        const std::uint64_t end = offset + sections[i].bytes;
        Json entry = {{"dtype", safetensors_dtype(tensors[i].dtype)},
                      {"shape", tensors[i].shape},
                      {"data_offsets", {offset, end}}};
        if (!header.emplace(tensors[i].name, std::move(entry)).second) {
            throw InvalidArgument(
                fmt::format("tensor name {} is taken; each may be declared once", tensors[i].name));
        }
        offset = end;
    }
    return header;
}

// Length and JSON, padded with spaces so that the data begins at a multiple of 8.
std::string header_text(const Json& header) {
    std::string json;
    try {
        json = header.dump();
    } catch (const Json::type_error& error) {
        throw InvalidArgument(fmt::format("a tensor name or metadata text is not UTF-8: {}", error.what()));
    }
    json.resize((json.size() + 7) / 8 * 8, ' ');
    const auto length = std::bit_cast<std::array<char, 8>>(std::uint64_t{json.size()});
    return std::string(length.begin(), length.end()) + json;
}

SectionWriter start(const std::filesystem::path& path, std::span<const TensorDeclaration> tensors,
                    const std::map<std::string, std::string>& metadata) {
    std::vector<Section> sections = sections_of(tensors);
    const std::string header = header_text(header_json(tensors, sections, metadata));
    return SectionWriter(path, header, std::move(sections));
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path,
                                     std::vector<TensorDeclaration> tensors,
                                     const std::map<std::string, std::string>& metadata)
    : tensors_(in_file_order(std::move(tensors))), writer_(start(path, tensors_, metadata)) {}

}  // namespace assay
