#include "text/gguf_tokenizer_json.h"

#include <fmt/format.h>

#include <string>

#include "base/error.h"
#include "text/gguf_pre_tokenizers.h"
#include "text/sentencepiece_json.h"
#include "text/unicode.h"

namespace assay {
namespace {

// The texts of all tokens, each with its id.
Json vocab_json(const GgufVocabulary& source, std::string_view what) {
    Json vocabulary = Json::object();
    for (std::size_t id = 0; id < source.tokens.size(); ++id) {
        require_utf8(source.tokens[id], fmt::format("{}: tokenizer.ggml.tokens: token {}", what, id));
        if (!vocabulary.emplace(source.tokens[id], id).second) {
            throw FormatError(
                fmt::format("{}: tokenizer.ggml.tokens: token {} stands there twice", what, id));
        }
    }
    return vocabulary;
}

// The "model" object; `merges` are texts or pairs.
Json bpe_json(Json vocab, Json merges) {
    return {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", nullptr},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", false},
            {"byte_fallback", false},
            {"ignore_merges", false},
            {"vocab", std::move(vocab)},
            {"merges", std::move(merges)}};
}

// Per-token arrays are absent or complete.
void check_count(std::size_t count, std::string_view key, const GgufVocabulary& vocabulary,
                 std::string_view what) {
    if (count != 0 && count != vocabulary.tokens.size()) {
        throw FormatError(fmt::format("{}: tokenizer.ggml.{} has {} entries for {} tokens", what, key, count,
                                      vocabulary.tokens.size()));
    }
}

Json added_tokens(const GgufVocabulary& vocabulary) {
    Json added = Json::array();
    for (std::size_t id = 0; id < vocabulary.token_types.size(); ++id) {
        const std::int32_t type = vocabulary.token_types[id];
        if (type != kGgufUnknown && type != kGgufControl && type != kGgufUserDefined) continue;
        added.push_back({{"id", id},
                         {"content", vocabulary.tokens[id]},
                         {"single_word", false},
                         {"lstrip", false},
                         {"rstrip", false},
                         {"normalized", false},
                         {"special", type != kGgufUserDefined}});
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

// What a kind of tokenizer has around the model.
struct Pipeline {
    Json normalizer;
    Json pre_tokenizer;
    Json decoder;
    bool add_bos = false;  // where the file does not say
};

Pipeline byte_level_pipeline(const GgufVocabulary& vocabulary, std::string_view what) {
    const GgufPreTokenizer& pre = find_gguf_pre_tokenizer(vocabulary.pre, what);
    return {.normalizer = pre.normalizes_to_nfc ? Json{{"type", "NFC"}} : Json(),
            .pre_tokenizer = pre.pieces(),
            .decoder = {{"type", "ByteLevel"},
                        {"add_prefix_space", false},
                        {"trim_offsets", true},
                        {"use_regex", true}},
            .add_bos = pre.add_bos};
}

Json byte_level_model(const GgufVocabulary& vocabulary, std::string_view what) {
    for (const std::string& merge : vocabulary.merges)
        require_utf8(merge, fmt::format("{}: tokenizer.ggml.merges", what));
    Json model = bpe_json(vocab_json(vocabulary, what), vocabulary.merges);
    model["ignore_merges"] = find_gguf_pre_tokenizer(vocabulary.pre, what).ignore_merges;
    return model;
}

// A text and each stretch behind a control or user-defined token get a space in front.
Pipeline sentencepiece_pipeline(const GgufVocabulary& vocabulary, std::string_view /*what*/) {
    const bool prepends = vocabulary.add_space_prefix.value_or(true);
    return {.normalizer = space_mark_normalizer_json(prepends),
            .decoder = sentencepiece_decoder_json(prepends),
            .add_bos = true};
}

Json sentencepiece_model(const GgufVocabulary& vocabulary, std::string_view what) {
    Json model =
        bpe_json(vocab_json(vocabulary, what), merges_of_scores(gguf_scored_tokens(vocabulary, what)));
    model["byte_fallback"] = model["fuse_unk"] = true;
    if (const auto id = gguf_unknown_id(vocabulary)) model["unk_token"] = vocabulary.tokens[*id];
    return model;
}

struct ModelKind {
    std::string_view name;
    Pipeline (*pipeline)(const GgufVocabulary& vocabulary, std::string_view what);
    Json (*model)(const GgufVocabulary& vocabulary, std::string_view what);
};

constexpr ModelKind kModelKinds[] = {
    {"gpt2", byte_level_pipeline, byte_level_model},
    {"llama", sentencepiece_pipeline, sentencepiece_model},
};

const ModelKind& kind_of(const GgufVocabulary& vocabulary, std::string_view what) {
    for (const ModelKind& kind : kModelKinds)
        if (kind.name == vocabulary.model) return kind;
    throw Unsupported(fmt::format(
        "{}: tokenizer.ggml.model \"{:.100}\" is not supported; supported: gpt2 (byte-level BPE), llama "
        "(SentencePiece BPE)",
        what, vocabulary.model));
}

}  // namespace

std::vector<ScoredToken> gguf_scored_tokens(const GgufVocabulary& vocabulary, std::string_view what) {
    check_count(vocabulary.scores.size(), "scores", vocabulary, what);
    check_count(vocabulary.token_types.size(), "token_type", vocabulary, what);
    std::vector<ScoredToken> tokens;
    for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id) {
        require_utf8(vocabulary.tokens[id], fmt::format("{}: tokenizer.ggml.tokens: token {}", what, id));
        tokens.push_back({.text = vocabulary.tokens[id]});
        if (!vocabulary.scores.empty()) tokens.back().score = static_cast<double>(vocabulary.scores[id]);
    }
    return tokens;
}

std::optional<std::int32_t> gguf_unknown_id(const GgufVocabulary& vocabulary) {
    const std::int32_t id = vocabulary.unknown_id.value_or(0);
    return static_cast<std::size_t>(id) < vocabulary.tokens.size() ? std::optional(id) : std::nullopt;
}

Json gguf_pipeline_json(const GgufVocabulary& vocabulary, std::string_view what) {
    check_count(vocabulary.token_types.size(), "token_type", vocabulary, what);
    const Pipeline pipeline = kind_of(vocabulary, what).pipeline(vocabulary, what);
    return {{"version", "1.0"},
            {"truncation", nullptr},
            {"padding", nullptr},
            {"added_tokens", added_tokens(vocabulary)},
            {"normalizer", pipeline.normalizer},
            {"pre_tokenizer", pipeline.pre_tokenizer},
            {"post_processor", post_processor(vocabulary, vocabulary.add_bos.value_or(pipeline.add_bos),
                                              vocabulary.add_eos.value_or(false), what)},
            {"decoder", pipeline.decoder}};
}

Json gguf_tokenizer_json(const GgufVocabulary& vocabulary, std::string_view what) {
    Json json = gguf_pipeline_json(vocabulary, what);
    json["model"] = kind_of(vocabulary, what).model(vocabulary, what);
    return json;
}

}  // namespace assay
