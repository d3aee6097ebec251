#include "number/scale_type.h"

#include <algorithm>
#include <array>

#include "tensor/float16.h"

namespace assay {
namespace {

struct Properties {
    const char* name;
    int bits;
    float smallest;  // positive
};

const Properties& properties(ScaleType type) {
    static constexpr std::array<Properties, 3> kProperties = {
        {{"f16", 16, 0x1.0p-24f}, {"bf16", 16, 0x1.0p-133f}, {"f32", 32, 0x1.0p-149f}}};
    return kProperties[static_cast<std::size_t>(type)];
}

float rounded(float scale, ScaleType type) {
    if (type == ScaleType::kF16) return round_to_f16(scale);
    if (type == ScaleType::kBf16) return bf16_to_f32(f32_to_bf16(scale));
    return scale;
}

}  // namespace

int bits_of(ScaleType type) {
    return properties(type).bits;
}

std::string to_string(ScaleType type) {
    return properties(type).name;
}

float stored_scale(float scale, ScaleType type) {
    return std::max(rounded(scale, type), properties(type).smallest);
}

}  // namespace assay
