#include "container/gguf_format.h"

#include <fmt/format.h>

#include <array>

#include "base/error.h"

namespace assay {
namespace {

constexpr std::uint64_t kMaxStringBytes = std::uint64_t{1} << 30;
// In the order of the enumerators.
constexpr auto kTypes = std::to_array<GgufTypeRow>({{"u8", 1},
                                                    {"i8", 1},
                                                    {"u16", 2},
                                                    {"i16", 2},
                                                    {"u32", 4},
                                                    {"i32", 4},
                                                    {"f32", 4},
                                                    {"bool", 1},
                                                    {"string", 0},
                                                    {"array", 0},
                                                    {"u64", 8},
                                                    {"i64", 8},
                                                    {"f64", 8}});
static_assert(kTypes.size() == kGgufTypes);

}  // namespace

const GgufTypeRow& gguf_type_row(GgufType type) {
    return kTypes[static_cast<std::size_t>(type)];
}

std::string_view read_gguf_text(ByteReader& reader, std::string_view where) {
    const std::uint64_t offset = reader.offset();
    const auto length = reader.read<std::uint64_t>();
    if (length > kMaxStringBytes) {
        throw FormatError(
            fmt::format("{}: string of {} bytes, at most {} are allowed", where, length, kMaxStringBytes),
            offset);
    }
    return reader.take_text(length);
}

}  // namespace assay
