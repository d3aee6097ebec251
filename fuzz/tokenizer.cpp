// Fuzz target: bytes up to the first NUL as a tokenizer.json, those up to the second as a text to encode and
// as a list of token ids, the rest as a tokenizer_config.json.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "text/windows.h"
#include "tokenizer_checks.h"

namespace {

// The bytes up to a NUL, which are taken off `rest`.
std::string_view take(std::string_view& rest) {
    const std::string_view part = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    return part;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    const std::string_view json = take(rest), text = take(rest);
    attempt([&] { exercise(assay::Tokenizer::from_json(json, "fuzz"), text); });
    attempt([&] { assay::parse_ids(text, "fuzz", 1000); });
    attempt([&] {
        const auto config = assay::parse_tokenizer_config(rest, "fuzz");
        exercise(assay::Tokenizer::from_json(json, "fuzz", config), text);
    });
    return 0;
}
