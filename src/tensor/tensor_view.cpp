#include "tensor/tensor_view.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>

#include "base/error.h"
#include "tensor/float16.h"
#include "tensor/float8.h"

namespace assay {
namespace {

// memcpy, whose pointers must not be null even where nothing is copied.
void copy_bytes(const void* from, void* to, std::size_t count) {
    if (count > 0) std::memcpy(to, from, count);
}

template <class Stored, float (*Decode)(Stored)>
void read_each(std::span<const std::byte> bytes, std::span<float> out) {
    for (std::size_t i = 0; i < out.size(); ++i) {
        Stored stored;
        std::memcpy(&stored, bytes.data() + i * sizeof(Stored), sizeof(Stored));
        out[i] = Decode(stored);
    }
}

// The usual type of large models, whose numbers come from memory row after row: the processor's own
// prefetching stops at each page's end.
void read_bf16(std::span<const std::byte> bytes, std::span<float> out) {
    constexpr std::size_t kLine = 32, kAhead = 2048;  // elements, bytes
    std::size_t i = 0;
    for (; i + kLine <= out.size(); i += kLine) {
        __builtin_prefetch(bytes.data() + 2 * i + kAhead);
        read_each<std::uint16_t, bf16_to_f32>(bytes.subspan(2 * i), out.subspan(i, kLine));
    }
    read_each<std::uint16_t, bf16_to_f32>(bytes.subspan(2 * i), out.subspan(i));
}

// One look-up an element: the 8-bit floats' conversions branch.
template <float (*Decode)(std::uint8_t)>
void read_f8(std::span<const std::byte> bytes, std::span<float> out) {
    static const std::array<float, 256> table = [] {
        std::array<float, 256> values{};
        for (std::size_t code = 0; code < values.size(); ++code)
            values[code] = Decode(static_cast<std::uint8_t>(code));
        return values;
    }();
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = table[std::to_integer<std::size_t>(bytes[i])];
}

template <class Number>
float number_to_f32(Number value) {
    return static_cast<float>(value);
}

template <class Number>
void read_numbers(std::span<const std::byte> bytes, std::span<float> out) {
    read_each<Number, number_to_f32<Number>>(bytes, out);
}

void read_f32(std::span<const std::byte> bytes, std::span<float> out) {
    copy_bytes(bytes.data(), out.data(), out.size_bytes());
}

struct Reader {
    DType type;
    void (*read)(std::span<const std::byte> bytes, std::span<float> out);  // out.size() elements
};

constexpr auto kReaders = std::to_array<Reader>({
    {DType::kF64, read_numbers<double>},
    {DType::kF32, read_f32},
    {DType::kF16, read_each<std::uint16_t, f16_to_f32>},
    {DType::kBF16, read_bf16},
    {DType::kF8E4M3, read_f8<f8e4m3_to_f32>},
    {DType::kF8E5M2, read_f8<f8e5m2_to_f32>},
    {DType::kF8E8M0, read_f8<f8e8m0_to_f32>},
    {DType::kI16, read_numbers<std::int16_t>},
    {DType::kI8, read_numbers<std::int8_t>},
    {DType::kU16, read_numbers<std::uint16_t>},
    {DType::kU8, read_numbers<std::uint8_t>},
});

const Reader* find_reader(DType type) {
    for (const Reader& reader : kReaders) {
        if (reader.type == type) return &reader;
    }
    return nullptr;
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

bool readable_as_f32(DType type) {
    return find_reader(type) != nullptr;
}

void to_f32(const TensorView& tensor, std::int64_t first, std::span<float> out) {
    const Reader* reader = find_reader(tensor.dtype);
    if (reader == nullptr) {
        throw InvalidArgument("element type " + std::string(dtype_name(tensor.dtype)) +
                              " cannot be read as f32");
    }
    const std::int64_t count = element_count(tensor.shape);
    const auto wanted = static_cast<std::int64_t>(out.size());
    if (first < 0 || first > count || wanted > count - first)
        throw InvalidArgument("to_f32: range outside the tensor");
    const auto size = static_cast<std::size_t>(dtype_bits(tensor.dtype)) / 8;
    const auto bytes = tensor.bytes.subspan(static_cast<std::size_t>(first) * size);
    reader->read(bytes, out);
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
