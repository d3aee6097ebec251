#include "tensor/tensor_view.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>

#include "base/error.h"
#include "tensor/float16.h"

namespace assay {
namespace {

// memcpy, whose pointers must not be null even where nothing is copied.
void copy_bytes(const void* from, void* to, std::size_t count) {
    if (count > 0) std::memcpy(to, from, count);
}

template <class Stored, class Decode>
void decode_each(std::span<const std::byte> bytes, std::span<float> out, Decode decode) {
    for (std::size_t i = 0; i < out.size(); ++i) {
        Stored stored;
        std::memcpy(&stored, bytes.data() + i * sizeof(Stored), sizeof(Stored));
        out[i] = decode(stored);
    }
}

template <class Encode>
void encode_each16(std::span<const float> values, std::span<std::byte> out, Encode encode,
                   float (*decode)(std::uint16_t)) {
    for (std::size_t i = 0; i < values.size(); ++i) {
        const std::uint16_t bits = encode(values[i]);
        if (std::isfinite(values[i]) && !std::isfinite(decode(bits))) {
            throw NumericError("value " + std::to_string(values[i]) +
                               " does not fit the 16-bit type; use f32");
        }
        std::memcpy(out.data() + i * 2, &bits, 2);
    }
}

}  // namespace

void to_f32(const TensorView& tensor, std::int64_t first, std::span<float> out) {
    const std::int64_t count = element_count(tensor.shape);
    const auto wanted = static_cast<std::int64_t>(out.size());
    if (first < 0 || first > count || wanted > count - first)
        throw InvalidArgument("to_f32: range outside the tensor");
    const auto size = static_cast<std::size_t>(dtype_bits(tensor.dtype)) / 8;
    const auto bytes = tensor.bytes.subspan(static_cast<std::size_t>(first) * size);
    switch (tensor.dtype) {
        case DType::kF32:
            copy_bytes(bytes.data(), out.data(), out.size_bytes());
            return;
        case DType::kF16:
            decode_each<std::uint16_t>(bytes, out, f16_to_f32);
            return;
        case DType::kBF16:
            decode_each<std::uint16_t>(bytes, out, bf16_to_f32);
            return;
        default:
            break;
    }
    throw InvalidArgument("element type " + std::string(dtype_name(tensor.dtype)) +
                          " is not supported here; f32, f16 and bf16 are");
}

void from_f32(std::span<const float> values, DType dtype, std::span<std::byte> out) {
    if (out.size() != values.size() * static_cast<std::size_t>(dtype_bits(dtype)) / 8) {
        throw InvalidArgument("from_f32: output size does not fit");
    }
    switch (dtype) {
        case DType::kF32:
            copy_bytes(values.data(), out.data(), values.size_bytes());
            return;
        case DType::kF16:
            encode_each16(values, out, f32_to_f16, f16_to_f32);
            return;
        case DType::kBF16:
            encode_each16(values, out, f32_to_bf16, bf16_to_f32);
            return;
        default:
            break;
    }
    throw InvalidArgument("cannot write element type " + std::string(dtype_name(dtype)) +
                          "; f32, f16 and bf16 can be written");
}

}  // namespace assay
