// Fuzz target: any bytes as a tokenizer.model of SentencePiece, which then encodes a text with and without
// the options of a tokenizer_config.json.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "text/sentencepiece_model.h"
#include "tokenizer_checks.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    attempt([&] {
        const auto model = assay::parse_sentencepiece_model(bytes, "fuzz");
        exercise(assay::Tokenizer::from_sentencepiece(model, {}, "fuzz"), kText);
        const assay::TokenizerConfig config{.add_bos = false, .add_prefix_space = false};
        exercise(assay::Tokenizer::from_sentencepiece(model, config, "fuzz"), kText);
    });
    return 0;
}
