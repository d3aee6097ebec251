// Typed access to the metadata of a GGUF file.
#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "base/byte_reader.h"
#include "base/error.h"
#include "container/gguf.h"
#include "container/gguf_format.h"

namespace assay {
namespace {

template <class T>
T load(std::span<const std::byte> bytes, std::uint64_t index) {
    T value;
    std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
    return value;
}

// Element `index` as i64; nothing where the type is no integer or the value does not fit.
std::optional<std::int64_t> load_int(GgufType type, std::span<const std::byte> bytes, std::uint64_t index) {
    switch (type) {
        case GgufType::kU8:
            return load<std::uint8_t>(bytes, index);
        case GgufType::kI8:
            return load<std::int8_t>(bytes, index);
        case GgufType::kU16:
            return load<std::uint16_t>(bytes, index);
        case GgufType::kI16:
            return load<std::int16_t>(bytes, index);
        case GgufType::kU32:
            return load<std::uint32_t>(bytes, index);
        case GgufType::kI32:
            return load<std::int32_t>(bytes, index);
        case GgufType::kI64:
            return load<std::int64_t>(bytes, index);
        case GgufType::kU64: {
            const auto value = load<std::uint64_t>(bytes, index);
            return value <= INT64_MAX ? std::optional(static_cast<std::int64_t>(value)) : std::nullopt;
        }
        default:
            return std::nullopt;
    }
}

}  // namespace

std::vector<std::string_view> GgufFile::keys() const {
    std::vector<std::string_view> keys;
    for (const auto& [key, value] : values_) keys.push_back(key);
    return keys;
}

const GgufFile::Value* GgufFile::find(std::string_view key) const {
    const auto found = values_.find(key);
    return found == values_.end() ? nullptr : &found->second;
}

void GgufFile::fail_type(std::string_view key, const Value& value, std::string_view expected) const {
    const std::string_view of = value.type == GgufType::kArray ? "array of " : "";
    throw FormatError(fmt::format("{}: {} is of type {}{}, expected {}", what_, key, of,
                                  gguf_type_row(value.element).name, expected));
}

std::optional<std::string_view> GgufFile::find_string(std::string_view key) const {
    const Value* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (value->type != GgufType::kString) fail_type(key, *value, "string");
    ByteReader reader(value->bytes, what_);
    return read_gguf_text(reader, key);
}

std::optional<bool> GgufFile::find_bool(std::string_view key) const {
    const Value* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (value->type != GgufType::kBool) fail_type(key, *value, "bool");
    return value->bytes[0] != std::byte{0};
}

std::optional<std::int64_t> GgufFile::find_int(std::string_view key) const {
    const Value* value = find(key);
    if (value == nullptr) return std::nullopt;
    const auto number = load_int(value->type, value->bytes, 0);
    if (!number) fail_type(key, *value, "an integer that fits i64");
    return number;
}

std::optional<std::uint64_t> GgufFile::find_uint(std::string_view key) const {
    const Value* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (value->type == GgufType::kU64) return load<std::uint64_t>(value->bytes, 0);
    const auto number = load_int(value->type, value->bytes, 0);
    if (!number || *number < 0) fail_type(key, *value, "an integer that is not negative");
    return static_cast<std::uint64_t>(*number);
}

std::optional<double> GgufFile::find_float(std::string_view key) const {
    const Value* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (value->type == GgufType::kF32) return load<float>(value->bytes, 0);
    if (value->type != GgufType::kF64) fail_type(key, *value, "f32 or f64");
    return load<double>(value->bytes, 0);
}

std::optional<std::vector<std::string_view>> GgufFile::find_strings(std::string_view key) const {
    const Value* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (value->type != GgufType::kArray || value->element != GgufType::kString)
        fail_type(key, *value, "array of string");
    std::vector<std::string_view> texts;
    texts.reserve(value->count);
    ByteReader reader(value->bytes, what_);
    for (std::uint64_t i = 0; i < value->count; ++i) texts.push_back(read_gguf_text(reader, key));
    return texts;
}

std::optional<std::vector<std::int64_t>> GgufFile::find_ints(std::string_view key) const {
    const Value* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (value->type != GgufType::kArray) fail_type(key, *value, "array of integers");
    std::vector<std::int64_t> numbers;
    numbers.reserve(value->count);
    for (std::uint64_t i = 0; i < value->count; ++i) {
        const auto number = load_int(value->element, value->bytes, i);
        if (!number) fail_type(key, *value, "array of integers that fit i64");
        numbers.push_back(*number);
    }
    return numbers;
}

std::optional<std::vector<float>> GgufFile::find_floats(std::string_view key) const {
    const Value* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (value->type != GgufType::kArray || value->element != GgufType::kF32)
        fail_type(key, *value, "array of f32");
    std::vector<float> numbers(value->count);
    if (!numbers.empty()) std::memcpy(numbers.data(), value->bytes.data(), value->bytes.size());
    return numbers;
}

void GgufFile::fail_missing(std::string_view key) const {
    throw FormatError(fmt::format("{}: metadata key {} is missing", what_, key));
}

std::string_view GgufFile::require_string(std::string_view key) const {
    if (const auto value = find_string(key)) return *value;
    fail_missing(key);
}

std::uint64_t GgufFile::require_uint(std::string_view key) const {
    if (const auto value = find_uint(key)) return *value;
    fail_missing(key);
}

double GgufFile::require_float(std::string_view key) const {
    if (const auto value = find_float(key)) return *value;
    fail_missing(key);
}

std::vector<std::string_view> GgufFile::require_strings(std::string_view key) const {
    if (auto values = find_strings(key)) return *std::move(values);
    fail_missing(key);
}

}  // namespace assay
