#include "text/gguf_pipelines.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "base/error.h"
#include "text/bpe.h"
#include "text/unicode.h"

namespace assay {
namespace {

constexpr std::string_view kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

PreTokenizer isolate(std::string_view pattern) {
    return make_split(Regex::from_pattern(pattern, "built-in pattern"), SplitBehavior::kIsolated, false);
}

PreTokenizer gpt2_pieces() {
    return make_byte_level(false, true);
}

PreTokenizer smollm_pieces() {
    return make_sequence({make_digits(true), gpt2_pieces()});
}

PreTokenizer llama3_pieces() {
    return make_sequence({isolate(kLlama3Pattern), make_byte_level(false, false)});
}

PreTokenizer qwen2_pieces() {
    return make_sequence({isolate(kQwen2Pattern), make_byte_level(false, false)});
}

// llama.cpp's own, for files that do not say: punctuation, then GPT-2's pattern, then numbers by threes.
PreTokenizer default_pieces() {
    return make_sequence(
        {isolate(R"([\p{P}\$\+<=>\^~\|]+)"),
         isolate(R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S))"),
         isolate(R"(\p{N}+)"), isolate("[0-9][0-9][0-9]"), make_byte_level(false, false)});
}

struct PipelineKind {
    std::string_view pre;
    PreTokenizer (*pieces)();
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

std::unique_ptr<const SubwordModel> make_model(const GgufVocabulary& source, bool ignore_merges,
                                               std::string_view what) {
    const std::string where = fmt::format("{}: tokenizer.ggml.tokens", what);
    Vocabulary vocabulary;
    for (std::size_t id = 0; id < source.tokens.size(); ++id) {
        require_utf8(source.tokens[id], fmt::format("{}: token {}", where, id));
        vocabulary.add(source.tokens[id], static_cast<std::int32_t>(id), where);
    }
    std::vector<Bpe::Merge> merges;
    for (const std::string& merge : source.merges)
        merges.push_back(parse_merge(merge, fmt::format("{}: tokenizer.ggml.merges", what)));
    return std::make_unique<Bpe>(std::move(vocabulary), merges, BpeOptions{.ignore_merges = ignore_merges},
                                 what);
}

std::vector<AddedToken> added_tokens_of(const GgufVocabulary& vocabulary, std::string_view what) {
    constexpr std::int32_t kControl = 3;
    constexpr std::int32_t kUserDefined = 4;
    if (!vocabulary.token_types.empty() && vocabulary.token_types.size() != vocabulary.tokens.size()) {
        throw FormatError(fmt::format("{}: tokenizer.ggml.token_type has {} entries for {} tokens", what,
                                      vocabulary.token_types.size(), vocabulary.tokens.size()));
    }
    std::vector<AddedToken> added;
    for (std::size_t id = 0; id < vocabulary.token_types.size(); ++id) {
        const std::int32_t type = vocabulary.token_types[id];
        if (type != kControl && type != kUserDefined) continue;
        added.push_back({.content = vocabulary.tokens[id], .special = type == kControl});
    }
    return added;
}

std::vector<std::int32_t> one_id(std::optional<std::int32_t> id, std::string_view name,
                                 std::string_view what) {
    if (!id)
        throw FormatError(
            fmt::format("{}: tokenizer.ggml.{}_token_id is missing, but texts get one", what, name));
    return {*id};
}

}  // namespace

GgufPipeline gguf_pipeline(const GgufVocabulary& vocabulary, std::string_view what) {
    const PipelineKind& kind = kind_of(vocabulary, what);
    GgufPipeline pipeline{.normalizer = kind.normalizes_to_nfc ? make_unicode_normalizer(NormalForm::kNfc)
                                                               : build_normalizer(nullptr, what),
                          .pre_tokenizer = kind.pieces(),
                          .model = make_model(vocabulary, kind.ignore_merges, what),
                          .post_processor = {},
                          .added_tokens = added_tokens_of(vocabulary, what)};
    if (vocabulary.add_bos.value_or(kind.add_bos))
        pipeline.post_processor.before = one_id(vocabulary.bos_id, "bos", what);
    if (vocabulary.add_eos.value_or(false))
        pipeline.post_processor.after = one_id(vocabulary.eos_id, "eos", what);
    return pipeline;
}

}  // namespace assay
