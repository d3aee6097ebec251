// Element types of stored tensors.
#pragma once

#include <cstdint>
#include <string_view>

namespace assay {

enum class DType : std::uint8_t {
    kF64,
    kF32,
    kF16,
    kBF16,
    kF8E4M3,
    kF8E5M2,
    kF8E8M0,
    kF8E4M3FNUZ,
    kF8E5M2FNUZ,
    kF6E2M3,
    kF6E3M2,
    kF4,
    kC64,
    kI64,
    kI32,
    kI16,
    kI8,
    kU64,
    kU32,
    kU16,
    kU8,
    kBool
};

// Bits of one element; below 8 for the packed types kF6* and kF4.
int dtype_bits(DType type);

// The name used in tables and errors: f32, bf16, …
std::string_view dtype_name(DType type);

}  // namespace assay
