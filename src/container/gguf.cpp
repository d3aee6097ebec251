#include "container/gguf.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "base/byte_reader.h"
#include "base/checked.h"
#include "base/error.h"
#include "container/gguf_format.h"
#include "container/printable.h"
#include "container/tensor_bytes.h"

namespace assay {
namespace {

constexpr std::uint64_t kMaxArrayElements = std::uint64_t{1} << 30;

GgufType read_type(ByteReader& reader, std::string_view where) {
    const std::uint64_t offset = reader.offset();
    const auto id = reader.read<std::uint32_t>();
    if (id >= kGgufTypes) {
        throw FormatError(
            fmt::format("{}: unknown value type {}, expected 0 to {}", where, id, kGgufTypes - 1), offset);
    }
    return static_cast<GgufType>(id);
}

void check_bools(std::span<const std::byte> bytes, std::string_view where) {
    for (std::byte b : bytes) {
        if (b <= std::byte{1}) continue;
        throw FormatError(fmt::format("{}: bool byte {}, expected 0 or 1", where, std::to_integer<int>(b)));
    }
}

std::uint32_t read_version(ByteReader& reader, std::string_view what) {
    if (reader.remaining() < 4 || reader.take_text(4) != kGgufMagic) {
        throw FormatError(fmt::format("{}: does not begin with \"GGUF\"; this is no GGUF file", what), 0);
    }
    const auto version = reader.read<std::uint32_t>();
    if (version != 0 && (version & 0xffffu) == 0) {
        throw Unsupported(
            fmt::format("{}: written on a big-endian machine; only little-endian files are supported", what),
            4);
    }
    if (version != 2 && version != kGgufVersion) {
        throw Unsupported(
            fmt::format("{}: GGUF version {}, supported are 2 and 3; convert the model again", what, version),
            4);
    }
    return version;
}

std::string read_tensor_name(ByteReader& reader, std::string_view what) {
    const std::uint64_t offset = reader.offset();
    const std::string_view name = read_gguf_text(reader, what);
    if (name.size() <= kGgufMaxNameBytes) return std::string(name);
    throw FormatError(fmt::format("{}: tensor {}: name of {} bytes, at most {} are allowed", what,
                                  printable(name), name.size(), kGgufMaxNameBytes),
                      offset);
}

// ne[] as a torch shape.
Shape read_tensor_shape(ByteReader& reader, std::string_view where) {
    const std::uint64_t offset = reader.offset();
    const auto dimensions = reader.read<std::uint32_t>();
    if (dimensions > kGgufMaxDimensions) {
        throw FormatError(
            fmt::format("{}: {} dimensions, at most {} are allowed", where, dimensions, kGgufMaxDimensions),
            offset);
    }
    Shape shape(dimensions);
    for (std::int64_t& dimension : shape) {
        const auto size = reader.read<std::uint64_t>();
        if (size > INT64_MAX) {
            throw FormatError(fmt::format("{}: dimension {} overflows", where, size), offset);
        }
        dimension = static_cast<std::int64_t>(size);
    }
    std::reverse(shape.begin(), shape.end());
    return shape;
}

GgmlType read_tensor_type(ByteReader& reader, std::string_view where) {
    const std::uint64_t offset = reader.offset();
    const auto id = reader.read<std::uint32_t>();
    const auto info = find_ggml_type(id);
    if (!info) {
        throw Unsupported(
            fmt::format(
                "{}: ggml type id {} is unknown (removed from the format, or newer than this program)", where,
                id),
            offset);
    }
    return info->type;
}

std::uint64_t stored_bytes(const GgufTensor& tensor, std::string_view where) {
    const GgmlTypeInfo info = ggml_type_info(tensor.type);
    if (const auto bytes = ggml_bytes(tensor.shape, info)) return *bytes;
    throw FormatError(fmt::format("{}: shape {} overflows, or its rows are not whole {} blocks of {}", where,
                                  to_string(tensor.shape), info.name, info.block_elements));
}

// Where a tensor lies.
struct Extent {
    GgufTensor* tensor;
    std::uint64_t offset;  // from the beginning of the data
    std::uint64_t bytes;
    std::uint64_t at;  // where the file describes it
};

[[noreturn]] void fail_truncated(std::string_view where, std::uint64_t bytes, std::uint64_t at) {
    throw FormatError(
        fmt::format("{}: a tensor of {} bytes ends behind the file, which is cut short; fetch it again",
                    where, bytes),
        at);
}

}  // namespace

GgufFile GgufFile::open(const std::filesystem::path& path) {
    auto mapped = MappedFile::open(path);
    GgufFile file(mapped->bytes(), path.string());
    file.file_ = std::move(mapped);
    return file;
}

GgufFile::GgufFile(std::span<const std::byte> bytes, std::string_view what) : what_(what) {
    ByteReader reader(bytes, what_);
    version_ = read_version(reader, what_);
    const auto tensor_count = reader.read<std::uint64_t>();
    const auto key_count = reader.read<std::uint64_t>();
    read_metadata(reader, key_count);
    if (const auto parts = find_uint("split.count"); parts && *parts > 1) {
        throw Unsupported(
            fmt::format("{}: part of a model split into {} files; join them with llama-gguf-split --merge",
                        what_, *parts));
    }
    read_tensors(reader, tensor_count, bytes);
}

void GgufFile::read_metadata(ByteReader& reader, std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::uint64_t offset = reader.offset();
        const std::string_view key = read_gguf_text(reader, what_);
        if (key.empty()) throw FormatError(what_ + ": empty metadata key", offset);
        if (values_.contains(key)) {
            throw FormatError(fmt::format("{}: metadata key {} appears twice", what_, printable(key)),
                              offset);
        }
        values_.emplace(key, read_value(reader, key));
    }
}

GgufFile::Value GgufFile::read_value(ByteReader& reader, std::string_view key) const {
    const std::string where = fmt::format("{}: {}", what_, printable(key));
    Value value{.type = read_type(reader, where)};
    value.element = value.type;
    if (value.type == GgufType::kArray) {
        value.element = read_type(reader, where);
        if (value.element == GgufType::kArray) {
            throw FormatError(where + ": an array of arrays is not allowed", reader.offset());
        }
        value.count = reader.read<std::uint64_t>();
        if (value.count > kMaxArrayElements) {
            throw FormatError(fmt::format("{}: array of {} elements, at most {} are allowed", where,
                                          value.count, kMaxArrayElements),
                              reader.offset());
        }
    }
    if (value.element == GgufType::kString) {
        ByteReader strings = reader;
        for (std::uint64_t i = 0; i < value.count; ++i) read_gguf_text(strings, where);
        value.bytes = reader.take(strings.offset() - reader.offset());
    } else {
        value.bytes = reader.take(value.count * gguf_type_row(value.element).bytes);
    }
    if (value.element == GgufType::kBool) check_bools(value.bytes, where);
    return value;
}

void GgufFile::read_tensors(ByteReader& reader, std::uint64_t count, std::span<const std::byte> file) {
    const std::uint64_t align = alignment();
    std::vector<Extent> extents;
    std::uint64_t due = 0;  // data offset at which the next tensor must begin
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::uint64_t at = reader.offset();
        const std::string name = read_tensor_name(reader, what_);
        const std::string where = fmt::format("{}: tensor {}", what_, printable(name));
        const auto [place, is_new] = tensors_.try_emplace(name);
        if (!is_new) throw FormatError(where + " appears twice", at);
        GgufTensor& tensor = place->second;
        tensor.shape = read_tensor_shape(reader, where);
        tensor.type = read_tensor_type(reader, where);
        const std::uint64_t bytes = stored_bytes(tensor, where);
        const auto offset = reader.read<std::uint64_t>();
        if (offset != due) {
            throw FormatError(fmt::format("{}: begins at data offset {}, expected {}", where, offset, due),
                              at);
        }
        const auto end = checked_add(due, bytes);
        if (!end || *end > file.size()) fail_truncated(where, bytes, at);
        extents.push_back({&tensor, due, bytes, at});
        due = *end + gguf_padding(*end, align);
    }
    const std::uint64_t data = reader.offset() + gguf_padding(reader.offset(), align);
    for (const Extent& extent : extents) {
        if (data + extent.offset + extent.bytes > file.size()) fail_truncated(what_, extent.bytes, extent.at);
        extent.tensor->bytes = file.subspan(data + extent.offset, extent.bytes);
    }
}

std::uint64_t GgufFile::alignment() const {
    const Value* value = find("general.alignment");
    if (value == nullptr) return kGgufDefaultAlignment;
    if (value->type != GgufType::kU32) fail_type("general.alignment", *value, "u32");
    const std::uint64_t alignment = *find_uint("general.alignment");
    if (!std::has_single_bit(alignment)) {
        throw FormatError(
            fmt::format("{}: general.alignment is {}, expected a power of two", what_, alignment));
    }
    return alignment;
}

}  // namespace assay
