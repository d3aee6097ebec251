// What GGUF reader and writer share. Private to container.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/byte_reader.h"
#include "container/gguf.h"

namespace assay {

inline constexpr std::string_view kGgufMagic = "GGUF";
inline constexpr std::uint32_t kGgufVersion = 3;
inline constexpr std::uint64_t kGgufDefaultAlignment = 32;
inline constexpr std::uint64_t kGgufMaxNameBytes = 63;
inline constexpr std::size_t kGgufMaxDimensions = 4;

inline constexpr std::size_t kGgufTypes = static_cast<std::size_t>(GgufType::kF64) + 1;

struct GgufTypeRow {
    std::string_view name;
    std::uint64_t bytes;  // of one element; 0 where it varies
};

const GgufTypeRow& gguf_type_row(GgufType type);

// A stored string: u64 length, then bytes. Throws FormatError beginning with `where`.
std::string_view read_gguf_text(ByteReader& reader, std::string_view where);

// Zero bytes that follow `size` bytes up to the next multiple of `alignment`, a power of two.
constexpr std::uint64_t gguf_padding(std::uint64_t size, std::uint64_t alignment) {
    return (0 - size) & (alignment - 1);
}

}  // namespace assay
