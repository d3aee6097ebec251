// Byte pair encoding by the scores of tokens, as SentencePiece and llama.cpp have it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/bonds.h"
#include "text/byte_tokens.h"
#include "text/byte_trie.h"
#include "text/subword_model.h"
#include "text/symbols.h"

namespace assay {

// A token, by id in a list of them, of a vocabulary that has no list of merges.
struct ScoredToken {
    std::string text;
    double score = 0;
    bool in_text = true;    // texts may become it; else it is only put around them or stands for a byte
    bool is_whole = false;  // user defined: wherever it stands it is one token, longest first
};

struct ScoredBpeOptions {
    bool byte_fallback = true;  // characters without a token become byte tokens where all exist
    std::optional<std::int32_t> unknown_id{};  // stands for a run of other ones; without it they vanish
};

// Starts from whole tokens and characters and joins, again and again, the neighbours whose joined text is the
// token of highest score (leftmost among equals); merges know texts only, so a character without a token may
// be part of one. O(n log n). Source: sentencepiece src/bpe_model.cc; llama.cpp src/llama-vocab.cpp,
// llm_tokenizer_spm_session.
class ScoredBpe final : public SubwordModel {
  public:
    // `where` names the file in errors. Throws FormatError for empty or equal texts, scores that are not
    // finite and an unknown_id out of range.
    ScoredBpe(const std::vector<ScoredToken>& tokens, ScoredBpeOptions options, std::string_view where);

    const Vocabulary& vocabulary() const override { return vocabulary_; }
    void encode(std::string_view piece, std::vector<std::int32_t>& ids) const override;
    void cut(std::string_view piece, const PieceSink& sink) const override;

  private:
    std::vector<Symbol> symbols_of(std::string_view piece) const;
    std::optional<MergedSymbol> find_merge(std::string_view text) const;

    Vocabulary vocabulary_;
    ScoredBpeOptions options_;
    ByteTokens byte_tokens_;
    Bonds bonds_;
    ByteTrie whole_;
    std::vector<std::int32_t> ranks_;  // by id: equal scores, equal ranks; -1 for tokens not in texts
    std::size_t longest_bytes_ = 0;
};

// The texts of `tokens` by id. Throws FormatError, naming `where`, for empty or equal ones and for scores
// that are not finite.
Vocabulary scored_vocabulary(const std::vector<ScoredToken>& tokens, std::string_view where);

}  // namespace assay
