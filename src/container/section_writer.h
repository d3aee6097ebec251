// Streams named sections of declared sizes, in order, into an atomic file. Private to container.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/atomic_file.h"

namespace assay {

struct Section {
    std::string name;
    std::uint64_t bytes = 0;
    std::uint64_t padding = 0;  // zero bytes behind it
};

// Keeps only the declarations in memory. All throw Error where the file cannot be written.
class SectionWriter {
  public:
    SectionWriter(const std::filesystem::path& path, std::string_view header, std::vector<Section> sections);

    // Appends to section `name`, in pieces of any size. Throws InvalidArgument where another section's turn
    // it is or the section would grow beyond its size.
    void write(std::string_view name, std::span<const std::byte> bytes);

    // Throws InvalidArgument where bytes are still due.
    void commit();

  private:
    void finish_complete_sections();

    std::string what_;
    AtomicFile file_;
    std::vector<Section> sections_;
    std::size_t current_ = 0;
    std::uint64_t written_ = 0;  // bytes of the current section
};

}  // namespace assay
