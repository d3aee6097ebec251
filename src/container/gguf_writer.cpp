#include "container/gguf_writer.h"

#include <fmt/format.h>

#include "base/error.h"
#include "container/gguf_format.h"
#include "container/tensor_bytes.h"

namespace assay {
namespace {

// The bytes of a number as they lie in memory (this program runs on little-endian machines only).
template <class T>
void append(std::string& out, T value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void append_text(std::string& out, std::string_view text) {
    append(out, std::uint64_t{text.size()});
    out += text;
}

void append_type(std::string& out, GgufType type) {
    append(out, static_cast<std::uint32_t>(type));
}

}  // namespace

void GgufHeader::begin_key(std::string_view key, GgufType type) {
    if (key.empty() || !keys_.emplace(key).second) {
        throw InvalidArgument(fmt::format("GGUF key \"{}\" is empty or given twice", key));
    }
    if (key == "general.alignment")
        throw InvalidArgument("GGUF files are written with the default alignment");
    append_text(metadata_, key);
    append_type(metadata_, type);
}

void GgufHeader::begin_array(std::string_view key, GgufType element, std::uint64_t count) {
    begin_key(key, GgufType::kArray);
    append_type(metadata_, element);
    append(metadata_, count);
}

void GgufHeader::set_string(std::string_view key, std::string_view value) {
    begin_key(key, GgufType::kString);
    append_text(metadata_, value);
}

void GgufHeader::set_bool(std::string_view key, bool value) {
    begin_key(key, GgufType::kBool);
    append(metadata_, static_cast<std::uint8_t>(value));
}

void GgufHeader::set_u32(std::string_view key, std::uint32_t value) {
    begin_key(key, GgufType::kU32);
    append(metadata_, value);
}

void GgufHeader::set_u64(std::string_view key, std::uint64_t value) {
    begin_key(key, GgufType::kU64);
    append(metadata_, value);
}

void GgufHeader::set_i32(std::string_view key, std::int32_t value) {
    begin_key(key, GgufType::kI32);
    append(metadata_, value);
}

void GgufHeader::set_f32(std::string_view key, float value) {
    begin_key(key, GgufType::kF32);
    append(metadata_, value);
}

void GgufHeader::set_strings(std::string_view key, std::span<const std::string> values) {
    begin_array(key, GgufType::kString, values.size());
    for (const std::string& value : values) append_text(metadata_, value);
}

void GgufHeader::set_i32s(std::string_view key, std::span<const std::int32_t> values) {
    begin_array(key, GgufType::kI32, values.size());
    for (std::int32_t value : values) append(metadata_, value);
}

void GgufHeader::set_f32s(std::string_view key, std::span<const float> values) {
    begin_array(key, GgufType::kF32, values.size());
    for (float value : values) append(metadata_, value);
}

void GgufHeader::add_tensor(std::string_view name, GgmlType type, const Shape& shape) {
    if (name.empty() || name.size() > kGgufMaxNameBytes || !names_.emplace(name).second) {
        throw InvalidArgument(fmt::format("GGUF tensor name \"{}\" is empty, taken, or longer than {} bytes",
                                          name, kGgufMaxNameBytes));
    }
    const GgmlTypeInfo info = ggml_type_info(type);
    const auto bytes = ggml_bytes(shape, info);
    if (!bytes || shape.size() > kGgufMaxDimensions) {
        throw InvalidArgument(
            fmt::format("GGUF tensor {}: shape {} overflows, has more than {} dimensions, or its rows are "
                        "not whole {} blocks of {}",
                        name, to_string(shape), kGgufMaxDimensions, info.name, info.block_elements));
    }
    append_text(infos_, name);
    append(infos_, static_cast<std::uint32_t>(shape.size()));
    for (auto dimension = shape.rbegin(); dimension != shape.rend(); ++dimension) append(infos_, *dimension);
    append(infos_, static_cast<std::uint32_t>(type));
    append(infos_, data_bytes_);
    sections_.push_back({std::string(name), *bytes, gguf_padding(*bytes, kGgufDefaultAlignment)});
    data_bytes_ += sections_.back().bytes + sections_.back().padding;
}

std::string GgufHeader::bytes() const {
    std::string out(kGgufMagic);
    append(out, kGgufVersion);
    append(out, std::uint64_t{sections_.size()});
    append(out, std::uint64_t{keys_.size()});
    out += metadata_;
    out += infos_;
    out.append(gguf_padding(out.size(), kGgufDefaultAlignment), '\0');
    return out;
}

}  // namespace assay
