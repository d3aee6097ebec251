// Tokenizers: text to token ids and back, id for id as the `tokenizers` library does it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "container/json.h"
#include "text/added_tokens.h"
#include "text/decoder.h"
#include "text/gguf_vocabulary.h"
#include "text/normalizer.h"
#include "text/post_processor.h"
#include "text/pre_tokenizer.h"
#include "text/sentencepiece_model.h"
#include "text/subword_model.h"
#include "text/tokenizer_config.h"

namespace assay {

// The pipeline: added tokens are cut out; what lies between them is normalized, cut into pieces and encoded
// by the model; the post-processor puts special tokens around. Immutable, hence thread-safe.
class Tokenizer {
  public:
    // Reads a tokenizer.json; `what` names it in errors. Its "truncation" and "padding" are not applied. What
    // `config` says about the tokens around a text beats the file where overrides_template(). Throws
    // FormatError for a malformed file, Unsupported (naming the part and what is supported) for unknown
    // parts.
    static Tokenizer from_json(std::string_view tokenizer_json, std::string_view what,
                               const TokenizerConfig& config = {});

    // The pipeline of a tokenizer.model: its own normalization, BPE by scores or unigram. Control pieces are
    // not looked for in texts, the added tokens of `config` are. Unless `config` says otherwise a text gets
    // the model's bos piece in front, and no eos. Decoding shows an unknown piece as its text. Throws
    // FormatError for an inconsistent model or config.
    static Tokenizer from_sentencepiece(const SentencePieceModel& model, const TokenizerConfig& config,
                                        std::string_view what);

    // The same pipeline from a GGUF file's vocabulary, as its "tokenizer.ggml.pre" asks. Throws FormatError,
    // and Unsupported for models other than gpt2 and llama and for an unknown `pre`.
    static Tokenizer from_gguf(const GgufVocabulary& vocabulary, std::string_view what);

    // Ids of `utf8`. Characters without a token vanish where the model has no unknown token, as in the
    // library. Throws FormatError with the offset for a text that is not UTF-8.
    std::vector<std::int32_t> encode(std::string_view utf8, bool add_special_tokens) const;

    // The text of `ids`; bytes that are not UTF-8 become U+FFFD. Ids without a token give nothing.
    std::string decode(std::span<const std::int32_t> ids, bool skip_special_tokens) const;

    // One more than the largest id, which an embedding must have rows for.
    std::int64_t vocabulary_size() const;
    // As stored, e.g. in the byte-level alphabet ("Ġthe"); nothing for an id without a token.
    std::optional<std::string> token_text(std::int32_t id) const;
    std::optional<std::int32_t> id_of(std::string_view token_text) const;

    // The tokens that begin and end a text: those that a GGUF file, a tokenizer_config.json or a
    // tokenizer.model names, else those that the post-processor puts there.
    std::optional<std::int32_t> bos_id() const { return parts_.bos_id; }
    std::optional<std::int32_t> eos_id() const { return parts_.eos_id; }
    // Does encode() with special tokens put one in front?
    bool adds_bos() const { return !parts_.post_processor.before.empty(); }

  private:
    struct Parts {
        Normalizer normalizer;
        PreTokenizer pre_tokenizer;
        std::unique_ptr<const SubwordModel> model;
        PostProcessor post_processor;
        Decoder decoder;
        std::optional<std::int32_t> bos_id{};
        std::optional<std::int32_t> eos_id{};
    };

    static Tokenizer build(const Json& root, std::unique_ptr<const SubwordModel> model,
                           std::string_view what);
    void apply(const TokenizerConfig& config, std::string_view what);
    Tokenizer(Parts parts, const std::vector<AddedToken>& added_tokens, std::string_view what);
    void check_special_ids(std::string_view what) const;

    Parts parts_;
    AddedTokens added_tokens_;
};

}  // namespace assay
