// GGUF files (version 3), written: keys and tensors are declared first, then the tensors' bytes stream
// through.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "container/gguf.h"
#include "container/section_writer.h"
#include "number/ggml_blocks.h"
#include "tensor/shape.h"

namespace assay {

// What stands before the data: metadata and tensor infos, in the order of the calls. The alignment is the
// default, 32. All throw InvalidArgument for an empty key or one given twice.
class GgufHeader {
  public:
    void set_string(std::string_view key, std::string_view value);
    void set_bool(std::string_view key, bool value);
    void set_u32(std::string_view key, std::uint32_t value);
    void set_u64(std::string_view key, std::uint64_t value);
    void set_i32(std::string_view key, std::int32_t value);
    void set_f32(std::string_view key, float value);
    void set_strings(std::string_view key, std::span<const std::string> values);
    void set_i32s(std::string_view key, std::span<const std::int32_t> values);
    void set_f32s(std::string_view key, std::span<const float> values);

    // Shape: slowest dimension first. Throws InvalidArgument also for a name that is too long or taken, more
    // than four dimensions, and rows that are not whole blocks.
    void add_tensor(std::string_view name, GgmlType type, const Shape& shape);

    // The header's bytes, padded so that the data begins aligned, and the data sections that must follow.
    std::string bytes() const;
    const std::vector<Section>& sections() const { return sections_; }

  private:
    void begin_key(std::string_view key, GgufType type);
    void begin_array(std::string_view key, GgufType element, std::uint64_t count);

    std::set<std::string, std::less<>> keys_;
    std::set<std::string, std::less<>> names_;
    std::string metadata_;
    std::string infos_;
    std::vector<Section> sections_;
    std::uint64_t data_bytes_ = 0;
};

// Memory use does not grow with the tensors' sizes. The file appears under its name at commit() only.
class GgufWriter {
  public:
    // Writes the header. Throws Error where the file cannot be written.
    GgufWriter(const std::filesystem::path& path, const GgufHeader& header)
        : writer_(path, header.bytes(), header.sections()) {}

    // Appends bytes of tensor `name`, in pieces of any size; tensors come in the order of their declaration.
    // Throws InvalidArgument where another tensor's turn it is or more bytes come than were declared.
    void write(std::string_view name, std::span<const std::byte> bytes) { writer_.write(name, bytes); }

    // Throws InvalidArgument where bytes are still due.
    void commit() { writer_.commit(); }

  private:
    SectionWriter writer_;
};

}  // namespace assay
