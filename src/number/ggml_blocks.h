// The element types of GGUF files: a table of names, block sizes and decoders.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace assay {

// Ids as stored in GGUF tensor infos. Source: ggml include/ggml.h, enum ggml_type.
enum class GgmlType : std::uint32_t {
    kF32 = 0,
    kF16 = 1,
    kQ4_0 = 2,
    kQ4_1 = 3,
    kQ5_0 = 6,
    kQ5_1 = 7,
    kQ8_0 = 8,
    kQ8_1 = 9,
    kQ2K = 10,
    kQ3K = 11,
    kQ4K = 12,
    kQ5K = 13,
    kQ6K = 14,
    kQ8K = 15,
    kIQ2XXS = 16,
    kIQ2XS = 17,
    kIQ3XXS = 18,
    kIQ1S = 19,
    kIQ4NL = 20,
    kIQ3S = 21,
    kIQ2S = 22,
    kIQ4XS = 23,
    kI8 = 24,
    kI16 = 25,
    kI32 = 26,
    kI64 = 27,
    kF64 = 28,
    kIQ1M = 29,
    kBF16 = 30,
    kTQ1_0 = 34,
    kTQ2_0 = 35,
    kMXFP4 = 39,
    kNVFP4 = 40,
    kQ1_0 = 41,
    kQ2_0 = 42,
};

// A row of the table. A tensor's elements along its fastest dimension are stored in blocks of
// `block_elements`.
struct GgmlTypeInfo {
    GgmlType type;
    std::string_view name;  // as llama.cpp prints it: "Q4_1"
    std::uint32_t block_elements;
    std::uint32_t block_bytes;
    // Decodes whole blocks, out.size() / block_elements of them; null where Assay cannot.
    void (*decode)(const std::byte* blocks, std::span<float> out);

    // Whether elements share scales, so that reading them back is not what was there before.
    bool quantized() const { return block_elements > 1; }
};

// The row of a stored id; nothing for ids that are unknown or were removed from the format.
std::optional<GgmlTypeInfo> find_ggml_type(std::uint32_t id);

// The row of a type. Throws InvalidArgument for a value that is not one of the enumerators.
GgmlTypeInfo ggml_type_info(GgmlType type);

// Whether decode_ggml() can read the type.
bool ggml_decodable(GgmlType type);

// Decodes whole blocks to f32, with the bits that ggml's own dequantize_row_* functions give; F64 is rounded.
// Shape: out.size() is a multiple of the block's elements and bytes.size() is exactly those blocks.
// Throws Unsupported for a type without decoder, naming the ones that have one; InvalidArgument for wrong
// sizes. Source: ggml src/ggml-quants.c.
void decode_ggml(GgmlType type, std::span<const std::byte> bytes, std::span<float> out);

}  // namespace assay
