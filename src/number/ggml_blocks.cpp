#include "number/ggml_blocks.h"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <string>

#include "base/error.h"
#include "tensor/float16.h"

namespace assay {
namespace {

std::uint16_t load_u16(const std::byte* bytes) {
    std::uint16_t value;
    std::memcpy(&value, bytes, sizeof(value));
    return value;
}

float load_f16(const std::byte* bytes) {
    return f16_to_f32(load_u16(bytes));
}

void decode_f32(const std::byte* blocks, std::span<float> out) {
    if (!out.empty()) std::memcpy(out.data(), blocks, out.size_bytes());
}

void decode_f16(const std::byte* blocks, std::span<float> out) {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = load_f16(blocks + 2 * i);
}

void decode_bf16(const std::byte* blocks, std::span<float> out) {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = bf16_to_f32(load_u16(blocks + 2 * i));
}

// 18 bytes: f16 d; 16 bytes of nibbles, byte j holds elements j (low) and j + 16 (high). Value: d (q - 8).
void decode_q4_0(const std::byte* blocks, std::span<float> out) {
    for (float* y = out.data(); y != out.data() + out.size(); y += 32, blocks += 18) {
        const float d = load_f16(blocks);
        for (int j = 0; j < 16; ++j) {
            const int packed = std::to_integer<int>(blocks[2 + j]);
            y[j] = d * static_cast<float>((packed & 15) - 8);
            y[j + 16] = d * static_cast<float>((packed >> 4) - 8);
        }
    }
}

// 20 bytes: f16 d; f16 m; nibbles as in Q4_0. Value: d q + m.
void decode_q4_1(const std::byte* blocks, std::span<float> out) {
    for (float* y = out.data(); y != out.data() + out.size(); y += 32, blocks += 20) {
        const float d = load_f16(blocks);
        const float m = load_f16(blocks + 2);
        for (int j = 0; j < 16; ++j) {
            const int packed = std::to_integer<int>(blocks[4 + j]);
            y[j] = d * static_cast<float>(packed & 15) + m;
            y[j + 16] = d * static_cast<float>(packed >> 4) + m;
        }
    }
}

// 34 bytes: f16 d; 32 signed bytes. Value: d q.
void decode_q8_0(const std::byte* blocks, std::span<float> out) {
    for (float* y = out.data(); y != out.data() + out.size(); y += 32, blocks += 34) {
        const float d = load_f16(blocks);
        for (int j = 0; j < 32; ++j) {
            y[j] = d * static_cast<float>(static_cast<std::int8_t>(blocks[2 + j]));
        }
    }
}

// Block sizes: ggml src/ggml-common.h.
constexpr auto kTypes = std::to_array<GgmlTypeInfo>({
    {GgmlType::kF32, "F32", 1, 4, decode_f32},
    {GgmlType::kF16, "F16", 1, 2, decode_f16},
    {GgmlType::kQ4_0, "Q4_0", 32, 18, decode_q4_0},
    {GgmlType::kQ4_1, "Q4_1", 32, 20, decode_q4_1},
    {GgmlType::kQ5_0, "Q5_0", 32, 22, nullptr},
    {GgmlType::kQ5_1, "Q5_1", 32, 24, nullptr},
    {GgmlType::kQ8_0, "Q8_0", 32, 34, decode_q8_0},
    {GgmlType::kQ8_1, "Q8_1", 32, 36, nullptr},
    {GgmlType::kQ2K, "Q2_K", 256, 84, nullptr},
    {GgmlType::kQ3K, "Q3_K", 256, 110, nullptr},
    {GgmlType::kQ4K, "Q4_K", 256, 144, nullptr},
    {GgmlType::kQ5K, "Q5_K", 256, 176, nullptr},
    {GgmlType::kQ6K, "Q6_K", 256, 210, nullptr},
    {GgmlType::kQ8K, "Q8_K", 256, 292, nullptr},
    {GgmlType::kIQ2XXS, "IQ2_XXS", 256, 66, nullptr},
    {GgmlType::kIQ2XS, "IQ2_XS", 256, 74, nullptr},
    {GgmlType::kIQ3XXS, "IQ3_XXS", 256, 98, nullptr},
    {GgmlType::kIQ1S, "IQ1_S", 256, 50, nullptr},
    {GgmlType::kIQ4NL, "IQ4_NL", 32, 18, nullptr},
    {GgmlType::kIQ3S, "IQ3_S", 256, 110, nullptr},
    {GgmlType::kIQ2S, "IQ2_S", 256, 82, nullptr},
    {GgmlType::kIQ4XS, "IQ4_XS", 256, 136, nullptr},
    {GgmlType::kI8, "I8", 1, 1, nullptr},
    {GgmlType::kI16, "I16", 1, 2, nullptr},
    {GgmlType::kI32, "I32", 1, 4, nullptr},
    {GgmlType::kI64, "I64", 1, 8, nullptr},
    {GgmlType::kF64, "F64", 1, 8, nullptr},
    {GgmlType::kIQ1M, "IQ1_M", 256, 56, nullptr},
    {GgmlType::kBF16, "BF16", 1, 2, decode_bf16},
    {GgmlType::kTQ1_0, "TQ1_0", 256, 54, nullptr},
    {GgmlType::kTQ2_0, "TQ2_0", 256, 66, nullptr},
    {GgmlType::kMXFP4, "MXFP4", 32, 17, nullptr},
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
