// A read-only memory map of a whole file, shared by the tensors that live in it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

namespace assay {

class MappedFile {
  public:
    // Maps `path`. Throws FormatError where it cannot be opened (the text says why). An empty file maps to no
    // bytes.
    static std::shared_ptr<const MappedFile> open(const std::filesystem::path& path);

    ~MappedFile();
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;

    std::span<const std::byte> bytes() const { return {data_, size_}; }

    // Takes the pages of a part of bytes() out of this process's memory. The system may still cache them, and
    // the next access brings them back: no content changes.
    void release(std::span<const std::byte> part) const;

    // Reads a part of bytes() into the system's cache without taking memory here. Best effort: an error shows
    // when the bytes are used.
    void fetch(std::span<const std::byte> part) const;

    const std::filesystem::path& path() const { return path_; }

  private:
    MappedFile(std::filesystem::path path, int descriptor, const std::byte* data, std::size_t size)
        : path_(std::move(path)), descriptor_(descriptor), data_(data), size_(size) {}

    std::filesystem::path path_;
    int descriptor_;  // kept open for fetch()
    const std::byte* data_;
    std::size_t size_;
};

// The whole file as bytes in memory, for small files (configs, tokenizers, texts).
// Throws FormatError where it cannot be read or is larger than `max_bytes`.
std::string read_file(const std::filesystem::path& path, std::size_t max_bytes = std::size_t{1} << 31);

}  // namespace assay
