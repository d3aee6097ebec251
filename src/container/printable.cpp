#include "container/printable.h"

#include <fmt/format.h>

namespace assay {

std::string printable(std::string_view text) {
    constexpr std::size_t kMaxBytes = 200;
    std::string line;
    for (char c : text.substr(0, kMaxBytes)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) {
            line += fmt::format("\\x{:02x}", byte);
        } else {
            line += c;
        }
    }
    return text.size() > kMaxBytes ? line + "..." : line;
}

}  // namespace assay
