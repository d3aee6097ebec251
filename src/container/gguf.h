// GGUF files (versions 2 and 3), read: metadata keys, tensor infos, then the tensors' blocks.
// Source: ggml docs/gguf.md and src/gguf.cpp; where the loader is stricter than the text, its rules hold
// here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "number/ggml_blocks.h"
#include "tensor/shape.h"

namespace assay {

class ByteReader;

struct GgufTensor {
    GgmlType type = GgmlType::kF32;
    Shape shape;  // as in PyTorch, slowest first; the file's order is the reverse
    std::span<const std::byte> bytes;
};

// Value types of metadata, as stored.
enum class GgufType : std::uint32_t {
    kU8,
    kI8,
    kU16,
    kI16,
    kU32,
    kI32,
    kF32,
    kBool,
    kString,
    kArray,
    kU64,
    kI64,
    kF64
};

// One file. Construction checks everything but tensor contents. Immutable, hence thread-safe; texts and
// tensors are views that live as long as the file's bytes.
class GgufFile {
  public:
    // Throws InvalidArgument where the file cannot be opened, FormatError where it breaks a rule of the
    // format, and Unsupported for version 1, foreign endianness, unknown tensor types and files split into
    // several.
    static GgufFile open(const std::filesystem::path& path);

    // Bytes in memory, which must outlive this object; `what` names them in errors.
    GgufFile(std::span<const std::byte> bytes, std::string_view what);

    const std::string& what() const { return what_; }
    std::uint32_t version() const { return version_; }
    const std::map<std::string, GgufTensor, std::less<>>& tensors() const { return tensors_; }

    // The file that holds the tensors; null for bytes in memory.
    const MappedFile* mapping() const { return file_.get(); }

    // All keys, sorted.
    std::vector<std::string_view> keys() const;
    bool contains(std::string_view key) const { return values_.contains(key); }

    // The value of a key, nothing where the key is absent. Any stored integer type reads as an integer, f32
    // and f64 as a float. Throws FormatError naming the key for a value of another type or an integer that
    // does not fit.
    std::optional<std::string_view> find_string(std::string_view key) const;
    std::optional<bool> find_bool(std::string_view key) const;
    std::optional<std::int64_t> find_int(std::string_view key) const;
    std::optional<std::uint64_t> find_uint(std::string_view key) const;
    std::optional<double> find_float(std::string_view key) const;
    std::optional<std::vector<std::string_view>> find_strings(std::string_view key) const;
    std::optional<std::vector<std::int64_t>> find_ints(std::string_view key) const;
    std::optional<std::vector<float>> find_floats(std::string_view key) const;  // of f32 only

    // The same, and FormatError where the key is absent.
    std::string_view require_string(std::string_view key) const;
    std::uint64_t require_uint(std::string_view key) const;
    double require_float(std::string_view key) const;
    std::vector<std::string_view> require_strings(std::string_view key) const;

  private:
    struct Value {
        GgufType type = GgufType::kU8;
        GgufType element = GgufType::kU8;  // of an array; the type itself for a scalar
        std::uint64_t count = 1;           // elements; 1 for a scalar
        std::span<const std::byte> bytes;  // the elements as stored
    };

    void read_metadata(ByteReader& reader, std::uint64_t count);
    Value read_value(ByteReader& reader, std::string_view key) const;
    void read_tensors(ByteReader& reader, std::uint64_t count, std::span<const std::byte> file);
    std::uint64_t alignment() const;
    const Value* find(std::string_view key) const;
    [[noreturn]] void fail_type(std::string_view key, const Value& value, std::string_view expected) const;
    [[noreturn]] void fail_missing(std::string_view key) const;

    std::shared_ptr<const MappedFile> file_;  // null for bytes in memory
    std::string what_;
    std::uint32_t version_ = 0;
    std::map<std::string_view, Value> values_;
    std::map<std::string, GgufTensor, std::less<>> tensors_;
};

}  // namespace assay
