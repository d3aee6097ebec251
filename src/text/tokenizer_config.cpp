#include "text/tokenizer_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "container/json.h"

namespace assay {
namespace {

// A token's text, or the object of an added token with its text as "content".
std::optional<std::string> token_content(const Json& root, std::string_view key, std::string_view what) {
    const Json* token = optional_member(root, key, what);
    if (token == nullptr) return std::nullopt;
    const std::string path = json_path(what, key);
    return token->is_object() ? require_string(*token, "content", path) : as_string(*token, path);
}

std::int32_t parse_id(std::string_view text, std::string_view where) {
    std::int32_t id = -1;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, id);
    if (error != std::errc() || stop != end || id < 0 || id > kMaxTokenId)
        throw FormatError(fmt::format("{}: \"{:.100}\" is not a token id", where, text));
    return id;
}

std::vector<TokenizerConfig::Added> read_added_tokens(const Json& root, std::string_view what) {
    std::vector<TokenizerConfig::Added> tokens;
    const Json* list = optional_object(root, "added_tokens_decoder", what);
    if (list == nullptr) return tokens;
    const std::string where = json_path(what, "added_tokens_decoder");
    for (const auto& [id, token] : list->items()) {
        const std::string path = json_path(where, id);
        const auto flag = [&token = token, &path](const char* name) {
            return optional_bool(token, name, path).value_or(false);
        };
        tokens.push_back({.id = parse_id(id, where),
                          .token = {.content = require_string(token, "content", path),
                                    .single_word = flag("single_word"),
                                    .lstrip = flag("lstrip"),
                                    .rstrip = flag("rstrip"),
                                    .normalized = flag("normalized"),
                                    .special = flag("special")}});
    }
    std::sort(tokens.begin(), tokens.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    return tokens;
}

}  // namespace

bool TokenizerConfig::overrides_template() const {
    constexpr std::string_view kClasses[] = {"Llama", "CodeLlama", "Gemma", "Cohere"};
    if (!add_bos && !add_eos) return false;
    return std::any_of(std::begin(kClasses), std::end(kClasses), [this](std::string_view name) {
        return tokenizer_class == fmt::format("{}Tokenizer", name) ||
               tokenizer_class == fmt::format("{}TokenizerFast", name);
    });
}

TokenizerConfig parse_tokenizer_config(std::string_view json, std::string_view what) {
    const Json root = parse_json(json, what);
    return {.tokenizer_class = optional_string(root, "tokenizer_class", what).value_or(""),
            .add_bos = optional_bool(root, "add_bos_token", what),
            .add_eos = optional_bool(root, "add_eos_token", what),
            .add_prefix_space = optional_bool(root, "add_prefix_space", what),
            .bos_token = token_content(root, "bos_token", what),
            .eos_token = token_content(root, "eos_token", what),
            .added_tokens = read_added_tokens(root, what)};
}

}  // namespace assay
