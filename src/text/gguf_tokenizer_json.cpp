#include "text/gguf_tokenizer_json.h"

#include <fmt/format.h>

#include <string>

#include "base/error.h"
#include "text/unicode.h"

namespace assay {
namespace {

constexpr std::string_view kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

Json byte_level(bool use_regex) {
    return {
        {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", use_regex}};
}

Json isolate(std::string_view pattern) {
    return {
        {"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}};
}

Json sequence(Json parts) {
    return {{"type", "Sequence"}, {"pretokenizers", std::move(parts)}};
}

Json gpt2_pieces() {
    return byte_level(true);
}

Json smollm_pieces() {
    return sequence({{{"type", "Digits"}, {"individual_digits", true}}, byte_level(true)});
}

Json llama3_pieces() {
    return sequence({isolate(kLlama3Pattern), byte_level(false)});
}

Json qwen2_pieces() {
    return sequence({isolate(kQwen2Pattern), byte_level(false)});
}

// llama.cpp's own, for files that do not say: punctuation, then GPT-2's pattern, then numbers by threes.
Json default_pieces() {
    return sequence({isolate(R"([\p{P}\$\+<=>\^~\|]+)"),
                     isolate(R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S))"),
                     isolate(R"(\p{N}+)"), isolate("[0-9][0-9][0-9]"), byte_level(false)});
}

struct PipelineKind {
    std::string_view pre;
    Json (*pieces)();
    bool normalizes_to_nfc = false;
    bool ignore_merges = false;
    bool add_bos = false;  // where the file does not say
};

constexpr PipelineKind kKinds[] = {
    {.pre = "smollm", .pieces = smollm_pieces},
    {.pre = "llama-bpe", .pieces = llama3_pieces, .ignore_merges = true, .add_bos = true},
    {.pre = "llama3", .pieces = llama3_pieces, .ignore_merges = true, .add_bos = true},
    {.pre = "gpt-2", .pieces = gpt2_pieces},
    {.pre = "qwen2", .pieces = qwen2_pieces, .normalizes_to_nfc = true},
    {.pre = "default", .pieces = default_pieces},
};

const PipelineKind& kind_of(const GgufVocabulary& vocabulary, std::string_view what) {
    if (vocabulary.model != "gpt2") {
        throw Unsupported(fmt::format(
            "{}: tokenizer.ggml.model \"{:.100}\" is not supported; supported: gpt2 (byte-level BPE)", what,
            vocabulary.model));
    }
    std::string known;
    for (const PipelineKind& kind : kKinds) {
        if (kind.pre == vocabulary.pre) return kind;
        known += fmt::format("{}{}", known.empty() ? "" : ", ", kind.pre);
    }
    throw Unsupported(fmt::format("{}: tokenizer.ggml.pre \"{:.100}\" is not supported; supported: {}", what,
                                  vocabulary.pre, known));
}

Json model_json(const GgufVocabulary& source, bool ignore_merges, std::string_view what) {
    Json vocabulary = Json::object();
    for (std::size_t id = 0; id < source.tokens.size(); ++id) {
        require_utf8(source.tokens[id], fmt::format("{}: tokenizer.ggml.tokens: token {}", what, id));
        if (!vocabulary.emplace(source.tokens[id], id).second) {
            throw FormatError(
                fmt::format("{}: tokenizer.ggml.tokens: token {} stands there twice", what, id));
        }
    }
    for (const std::string& merge : source.merges)
        require_utf8(merge, fmt::format("{}: tokenizer.ggml.merges", what));
    return {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", nullptr},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", false},
            {"byte_fallback", false},
            {"ignore_merges", ignore_merges},
            {"vocab", std::move(vocabulary)},
            {"merges", source.merges}};
}

Json added_tokens(const GgufVocabulary& vocabulary, std::string_view what) {
    constexpr std::int32_t kControl = 3, kUserDefined = 4;
    if (!vocabulary.token_types.empty() && vocabulary.token_types.size() != vocabulary.tokens.size()) {
        throw FormatError(fmt::format("{}: tokenizer.ggml.token_type has {} entries for {} tokens", what,
                                      vocabulary.token_types.size(), vocabulary.tokens.size()));
    }
    Json added = Json::array();
    for (std::size_t id = 0; id < vocabulary.token_types.size(); ++id) {
        const std::int32_t type = vocabulary.token_types[id];
        if (type != kControl && type != kUserDefined) continue;
        added.push_back({{"id", id},
                         {"content", vocabulary.tokens[id]},
                         {"single_word", false},
                         {"lstrip", false},
                         {"rstrip", false},
                         {"normalized", false},
                         {"special", type == kControl}});
    }
    return added;
}

// One special token of the post-processor's template.
void add_special(const GgufVocabulary& vocabulary, std::optional<std::int32_t> id, std::string_view name,
                 std::string_view what, Json& sequence, Json& specials) {
    if (!id || static_cast<std::size_t>(*id) >= vocabulary.tokens.size()) {
        throw FormatError(fmt::format(
            "{}: tokenizer.ggml.{}_token_id is missing or outside the vocabulary, but texts get one", what,
            name));
    }
    const std::string& token = vocabulary.tokens[static_cast<std::size_t>(*id)];
    sequence.push_back({{"SpecialToken", {{"id", token}, {"type_id", 0}}}});
    specials[token] = {{"id", token}, {"ids", Json::array({*id})}, {"tokens", Json::array({token})}};
}

Json post_processor(const GgufVocabulary& vocabulary, bool bos, bool eos, std::string_view what) {
    if (!bos && !eos) return nullptr;
    Json single = Json::array(), specials = Json::object();
    if (bos) add_special(vocabulary, vocabulary.bos_id, "bos", what, single, specials);
    single.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
    if (eos) add_special(vocabulary, vocabulary.eos_id, "eos", what, single, specials);
    return {
        {"type", "TemplateProcessing"}, {"single", single}, {"pair", single}, {"special_tokens", specials}};
}

}  // namespace

Json gguf_tokenizer_json(const GgufVocabulary& vocabulary, std::string_view what) {
    const PipelineKind& kind = kind_of(vocabulary, what);
    return {{"version", "1.0"},
            {"truncation", nullptr},
            {"padding", nullptr},
            {"added_tokens", added_tokens(vocabulary, what)},
            {"normalizer", kind.normalizes_to_nfc ? Json{{"type", "NFC"}} : Json()},
            {"pre_tokenizer", kind.pieces()},
            {"post_processor", post_processor(vocabulary, vocabulary.add_bos.value_or(kind.add_bos),
                                              vocabulary.add_eos.value_or(false), what)},
            {"decoder", byte_level(true)},
            {"model", model_json(vocabulary, kind.ignore_merges, what)}};
}

}  // namespace assay
