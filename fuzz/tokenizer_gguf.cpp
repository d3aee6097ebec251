// Fuzz target: any bytes as a GGUF file with a vocabulary, as a tokenizer and as the tokenizer.json it
// converts to.
#include <cstddef>
#include <cstdint>
#include <span>

#include "container/gguf.h"
#include "text/gguf_tokenizer_json.h"
#include "tokenizer_checks.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    attempt([&] {
        const assay::GgufFile file(std::as_bytes(std::span(data, size)), "input");
        const auto vocabulary = assay::read_gguf_vocabulary(file);
        exercise(assay::Tokenizer::from_gguf(vocabulary, "input"), kText);
        const auto json = assay::gguf_tokenizer_json(vocabulary, "input").dump();
        exercise(assay::Tokenizer::from_json(json, "input"), kText);
    });
    return 0;
}
