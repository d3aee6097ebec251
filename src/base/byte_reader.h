// A bounded little-endian cursor over outside bytes: every read is checked, every failure is a FormatError.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/error.h"

namespace assay {

static_assert(std::endian::native == std::endian::little,
              "file formats are read by copying little-endian bytes");

// Reads a span from front to back. `what` names the file for error texts and must outlive the reader.
class ByteReader {
  public:
    ByteReader(std::span<const std::byte> bytes, std::string_view what) : bytes_(bytes), what_(what) {}

    std::uint64_t offset() const { return offset_; }
    std::uint64_t remaining() const { return bytes_.size() - offset_; }

    // One number of type T. Throws FormatError where fewer than sizeof(T) bytes remain.
    template <class T>
    T read() {
        static_assert(std::is_trivially_copyable_v<T>);
        T value;
        std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
        return value;
    }

    // The next `count` bytes. Throws FormatError where fewer remain.
    std::span<const std::byte> take(std::uint64_t count) {
        if (count > remaining()) {
            throw FormatError(std::string(what_) + ": truncated: " + std::to_string(count) +
                                  " bytes expected, " + std::to_string(remaining()) + " left",
                              offset_);
        }
        auto part = bytes_.subspan(offset_, count);
        offset_ += count;
        return part;
    }

    // The next `count` bytes as text (not checked for UTF-8).
    std::string_view take_text(std::uint64_t count) {
        auto part = take(count);
        return {reinterpret_cast<const char*>(part.data()), part.size()};
    }

  private:
    std::span<const std::byte> bytes_;
    std::string_view what_;
    std::uint64_t offset_ = 0;
};

}  // namespace assay
