// Output files that appear under their final name only when they are whole.
#pragma once

#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string_view>

namespace assay {

// Writes to a temporary name in the same folder; commit() flushes, syncs and renames. Without commit() the
// temporary file is removed, so an error or interrupt leaves nothing half-written. All calls throw Error on
// failure.
class AtomicFile {
  public:
    explicit AtomicFile(std::filesystem::path path);
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    void write(std::span<const std::byte> bytes);
    void write(std::string_view text);
    void commit();

  private:
    std::filesystem::path path_;
    std::filesystem::path temporary_;
    std::FILE* file_ = nullptr;
};

// Writes a whole text atomically.
void write_file(const std::filesystem::path& path, std::string_view text);

// A folder that appears under its final name only when whole: fill path(), then commit(). Refuses an existing
// target.
class AtomicFolder {
  public:
    explicit AtomicFolder(std::filesystem::path target);
    ~AtomicFolder();
    AtomicFolder(const AtomicFolder&) = delete;
    AtomicFolder& operator=(const AtomicFolder&) = delete;

    const std::filesystem::path& path() const { return temporary_; }
    void commit();

  private:
    std::filesystem::path target_;
    std::filesystem::path temporary_;
};

}  // namespace assay
