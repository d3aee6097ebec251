#include "text/gguf_vocabulary.h"

#include <fmt/format.h>

#include <string_view>

#include "base/error.h"
#include "container/gguf.h"
#include "text/vocabulary.h"

namespace assay {
namespace {

std::vector<std::string> texts_of(const std::optional<std::vector<std::string_view>>& views) {
    if (!views) return {};
    return {views->begin(), views->end()};
}

std::optional<std::int32_t> find_token_id(const GgufFile& file, std::string_view key) {
    const auto id = file.find_int(key);
    if (!id) return std::nullopt;
    if (*id < 0 || *id > kMaxTokenId) {
        throw FormatError(fmt::format("{}: {} is {}, expected a token id", file.what(), key, *id));
    }
    return static_cast<std::int32_t>(*id);
}

}  // namespace

GgufVocabulary read_gguf_vocabulary(const GgufFile& file) {
    GgufVocabulary vocabulary;
    vocabulary.model = file.require_string("tokenizer.ggml.model");
    if (const auto pre = file.find_string("tokenizer.ggml.pre")) vocabulary.pre = *pre;
    vocabulary.tokens = texts_of(file.require_strings("tokenizer.ggml.tokens"));
    for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id)
        if (vocabulary.tokens[id].empty()) vocabulary.tokens[id] = fmt::format("[EMPTY_{}]", id);
    vocabulary.merges = texts_of(file.find_strings("tokenizer.ggml.merges"));
    for (const std::int64_t type :
         file.find_ints("tokenizer.ggml.token_type").value_or(std::vector<std::int64_t>())) {
        vocabulary.token_types.push_back(type >= 1 && type <= 6 ? static_cast<std::int32_t>(type) : 0);
    }
    vocabulary.scores = file.find_floats("tokenizer.ggml.scores").value_or(std::vector<float>());
    vocabulary.unknown_id = find_token_id(file, "tokenizer.ggml.unknown_token_id");
    vocabulary.bos_id = find_token_id(file, "tokenizer.ggml.bos_token_id");
    vocabulary.eos_id = find_token_id(file, "tokenizer.ggml.eos_token_id");
    if (vocabulary.model == "llama") {
        if (!vocabulary.bos_id) vocabulary.bos_id = 1;
        if (!vocabulary.eos_id) vocabulary.eos_id = 2;
    }
    vocabulary.add_bos = file.find_bool("tokenizer.ggml.add_bos_token");
    vocabulary.add_eos = file.find_bool("tokenizer.ggml.add_eos_token");
    vocabulary.add_space_prefix = file.find_bool("tokenizer.ggml.add_space_prefix");
    return vocabulary;
}

}  // namespace assay
