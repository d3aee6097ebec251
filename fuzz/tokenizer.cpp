// Fuzz target: bytes up to the first NUL as a tokenizer.json, the rest as a text to encode and as a list of
// token ids. Only FormatError may come out.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "text/tokenizer.h"
#include "text/windows.h"

namespace {

void encode(std::string_view json, std::string_view text) {
    const assay::Tokenizer tokenizer = assay::Tokenizer::from_json(json, "fuzz");
    const auto ids = tokenizer.encode(text, true);
    for (const std::int32_t id : ids) {
        if (id < 0 || id >= tokenizer.vocabulary_size() || !tokenizer.token_text(id)) std::abort();
    }
    tokenizer.decode(ids, true);
}

template <class Parse>
void attempt(Parse parse) {
    try {
        parse();
    } catch (const assay::FormatError&) {
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::string_view json = input.substr(0, input.find('\0'));
    const std::string_view text = input.substr(std::min(input.size(), json.size() + 1));
    attempt([&] { encode(json, text); });
    attempt([&] { assay::parse_ids(text, "fuzz", 1000); });
    return 0;
}
