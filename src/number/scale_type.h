// The float types that number formats store their scales in.
#pragma once

#include <cstdint>
#include <string>

namespace assay {

enum class ScaleType : std::uint8_t { kF16, kBf16, kF32 };

int bits_of(ScaleType type);

// f16, bf16 or f32.
std::string to_string(ScaleType type);

// The nearest number of the scale's type, ties to even; a positive scale stays positive (at least the type's
// smallest number); overflow becomes infinity.
float stored_scale(float scale, ScaleType type);

}  // namespace assay
