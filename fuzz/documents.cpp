// Fuzz target: bytes as a .jsonl file, and as a .txt file, whose pieces must be the text again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/error.h"
#include "text/documents.h"

namespace {

std::string all_texts(std::string_view bytes, bool lines) {
    const assay::DocumentSet set({{"fuzz", bytes, lines}}, "text", 16);
    std::string all;
    for (std::size_t i = 0; i < set.size(); ++i) {
        try {
            all += set.read(i);
        } catch (const assay::FormatError&) {  // one bad line must not hide the others
            if (!lines) std::abort();
        }
    }
    return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    all_texts(bytes, true);
    try {
        if (all_texts(bytes, false) != bytes) std::abort();
    } catch (const assay::FormatError&) {  // not UTF-8
    }
    return 0;
}
