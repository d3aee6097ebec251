#include "text/gguf_pre_tokenizers.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "base/error.h"

namespace assay {
namespace {

constexpr std::string_view kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kTekkenPattern =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kGpt4oPattern =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kDeepSeek3Pattern =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
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

Json tekken_pieces() {
    return sequence({isolate(kTekkenPattern), byte_level(false)});
}

Json gpt4o_pieces() {
    return sequence({isolate(kGpt4oPattern), byte_level(false)});
}

Json deepseek3_pieces() {
    return sequence({isolate(R"(\p{N}{1,3})"), isolate("[一-龥぀-ゟ゠-ヿ]+"),
                     isolate(kDeepSeek3Pattern), byte_level(false)});
}

Json deepseek_coder_pieces() {
    return sequence({isolate(R"([\r\n])"), isolate(R"(\s?\p{L}+)"), isolate(R"(\s?\p{P}+)"),
                     isolate("[一-龥ࠀ-一가-\uD7FF]+"), isolate(R"(\p{N})"), byte_level(false)});
}

// llama.cpp's own, for files that do not say: punctuation, then GPT-2's pattern, then numbers by threes.
Json default_pieces() {
    return sequence({isolate(R"([\p{P}\$\+<=>\^~\|]+)"),
                     isolate(R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S))"),
                     isolate(R"(\p{N}+)"), isolate("[0-9][0-9][0-9]"), byte_level(false)});
}

constexpr GgufPreTokenizer kKinds[] = {
    {.name = "smollm", .pieces = smollm_pieces},
    {.name = "starcoder", .pieces = smollm_pieces},
    {.name = "refact", .pieces = smollm_pieces},
    {.name = "llama-bpe", .pieces = llama3_pieces, .ignore_merges = true, .add_bos = true},
    {.name = "llama3", .pieces = llama3_pieces, .ignore_merges = true, .add_bos = true},
    {.name = "llama-v3", .pieces = llama3_pieces, .ignore_merges = true, .add_bos = true},
    {.name = "falcon3", .pieces = llama3_pieces, .ignore_merges = true, .add_bos = true},
    {.name = "dbrx", .pieces = llama3_pieces},
    {.name = "smaug-bpe", .pieces = llama3_pieces},
    {.name = "glm4", .pieces = llama3_pieces},
    {.name = "chatglm-bpe", .pieces = llama3_pieces},
    {.name = "gpt-2", .pieces = gpt2_pieces},
    {.name = "phi-2", .pieces = gpt2_pieces},
    {.name = "qwen2", .pieces = qwen2_pieces, .normalizes_to_nfc = true},
    {.name = "deepseek-r1-qwen", .pieces = qwen2_pieces, .normalizes_to_nfc = true},
    {.name = "tekken", .pieces = tekken_pieces, .ignore_merges = true, .add_bos = true},
    {.name = "pixtral", .pieces = llama3_pieces, .ignore_merges = true, .add_bos = true},
    {.name = "gpt-4o", .pieces = gpt4o_pieces},
    {.name = "llama4", .pieces = gpt4o_pieces},
    {.name = "deepseek-v3", .pieces = deepseek3_pieces},
    {.name = "deepseek-coder", .pieces = deepseek_coder_pieces},
    {.name = "default", .pieces = default_pieces},
};

}  // namespace

const GgufPreTokenizer& find_gguf_pre_tokenizer(std::string_view name, std::string_view what) {
    std::string known;
    for (const GgufPreTokenizer& kind : kKinds) {
        if (kind.name == name) return kind;
        known += fmt::format("{}{}", known.empty() ? "" : ", ", kind.name);
    }
    throw Unsupported(
        fmt::format("{}: tokenizer.ggml.pre \"{:.100}\" is not supported; supported: {}", what, name, known));
}

}  // namespace assay
