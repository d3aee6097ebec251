#include "number/ggml_blocks.h"

#include <fmt/format.h>

#include <array>
#include <string>

#include "base/error.h"
#include "number/ggml_decoders.h"

namespace assay {
namespace {

// Block sizes: ggml src/ggml-common.h.
constexpr auto kTypes = std::to_array<GgmlTypeInfo>({
    {GgmlType::kF32, "F32", 1, 4, ggml::decode_f32},
    {GgmlType::kF16, "F16", 1, 2, ggml::decode_f16},
    {GgmlType::kQ4_0, "Q4_0", 32, 18, ggml::decode_q4_0},
    {GgmlType::kQ4_1, "Q4_1", 32, 20, ggml::decode_q4_1},
    {GgmlType::kQ5_0, "Q5_0", 32, 22, ggml::decode_q5_0},
    {GgmlType::kQ5_1, "Q5_1", 32, 24, ggml::decode_q5_1},
    {GgmlType::kQ8_0, "Q8_0", 32, 34, ggml::decode_q8_0},
    {GgmlType::kQ8_1, "Q8_1", 32, 36, nullptr},
    {GgmlType::kQ2K, "Q2_K", 256, 84, ggml::decode_q2_k},
    {GgmlType::kQ3K, "Q3_K", 256, 110, ggml::decode_q3_k},
    {GgmlType::kQ4K, "Q4_K", 256, 144, ggml::decode_q4_k},
    {GgmlType::kQ5K, "Q5_K", 256, 176, ggml::decode_q5_k},
    {GgmlType::kQ6K, "Q6_K", 256, 210, ggml::decode_q6_k},
    {GgmlType::kQ8K, "Q8_K", 256, 292, nullptr},
    {GgmlType::kIQ2XXS, "IQ2_XXS", 256, 66, nullptr},
    {GgmlType::kIQ2XS, "IQ2_XS", 256, 74, nullptr},
    {GgmlType::kIQ3XXS, "IQ3_XXS", 256, 98, nullptr},
    {GgmlType::kIQ1S, "IQ1_S", 256, 50, nullptr},
    {GgmlType::kIQ4NL, "IQ4_NL", 32, 18, ggml::decode_iq4_nl},
    {GgmlType::kIQ3S, "IQ3_S", 256, 110, nullptr},
    {GgmlType::kIQ2S, "IQ2_S", 256, 82, nullptr},
    {GgmlType::kIQ4XS, "IQ4_XS", 256, 136, ggml::decode_iq4_xs},
    {GgmlType::kI8, "I8", 1, 1, nullptr},
    {GgmlType::kI16, "I16", 1, 2, nullptr},
    {GgmlType::kI32, "I32", 1, 4, nullptr},
    {GgmlType::kI64, "I64", 1, 8, nullptr},
    {GgmlType::kF64, "F64", 1, 8, ggml::decode_f64},
    {GgmlType::kIQ1M, "IQ1_M", 256, 56, nullptr},
    {GgmlType::kBF16, "BF16", 1, 2, ggml::decode_bf16},
    {GgmlType::kTQ1_0, "TQ1_0", 256, 54, ggml::decode_tq1_0},
    {GgmlType::kTQ2_0, "TQ2_0", 256, 66, ggml::decode_tq2_0},
    {GgmlType::kMXFP4, "MXFP4", 32, 17, ggml::decode_mxfp4},
    {GgmlType::kNVFP4, "NVFP4", 64, 36, nullptr},
    {GgmlType::kQ1_0, "Q1_0", 128, 18, nullptr},
    {GgmlType::kQ2_0, "Q2_0", 64, 18, nullptr},
});

std::string decodable_names() {
    std::string names;
    for (const GgmlTypeInfo& row : kTypes) {
        if (row.decode != nullptr) names += (names.empty() ? "" : ", ") + std::string(row.name);
    }
    return names;
}

}  // namespace

std::optional<GgmlTypeInfo> find_ggml_type(std::uint32_t id) {
    for (const GgmlTypeInfo& row : kTypes) {
        if (static_cast<std::uint32_t>(row.type) == id) return row;
    }
    return std::nullopt;
}

GgmlTypeInfo ggml_type_info(GgmlType type) {
    const auto row = find_ggml_type(static_cast<std::uint32_t>(type));
    if (!row) throw InvalidArgument(fmt::format("ggml type {} is unknown", static_cast<std::uint32_t>(type)));
    return *row;
}

bool ggml_decodable(GgmlType type) {
    return ggml_type_info(type).decode != nullptr;
}

void decode_ggml(GgmlType type, std::span<const std::byte> bytes, std::span<float> out) {
    const GgmlTypeInfo row = ggml_type_info(type);
    if (row.decode == nullptr) {
        throw Unsupported(
            fmt::format("ggml type {} cannot be decoded; these can: {}", row.name, decodable_names()));
    }
    if (out.size() % row.block_elements != 0 ||
        bytes.size() != out.size() / row.block_elements * row.block_bytes) {
        throw InvalidArgument(
            fmt::format("decode_ggml: {} bytes of {} do not hold {} elements in whole blocks", bytes.size(),
                        row.name, out.size()));
    }
    row.decode(bytes.data(), out);
}

}  // namespace assay
