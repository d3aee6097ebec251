// The unigram language model of subwords.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "container/json.h"
#include "text/byte_tokens.h"
#include "text/byte_trie.h"
#include "text/scored_bpe.h"
#include "text/subword_model.h"

namespace assay {

struct UnigramOptions {
    std::optional<std::int32_t> unknown_id{};  // stands for a run of unknown characters
    double unknown_score = 0;                  // of one unknown character
    bool byte_fallback = false;                // unknown characters become byte tokens where all exist
};

// The segmentation into tokens whose scores (log-probabilities) have the largest sum, by dynamic programming
// from the left; among equals the first one found, which has the longest last token. O(n * longest token).
// Sums are f64, as in `tokenizers`; SentencePiece's are f32, so that its choices in texts of thousands of
// tokens depend on rounding (and on its version). Source: Kudo 2018, arXiv:1804.10959; `tokenizers`
// models/unigram; sentencepiece src/unigram_model.cc, EncodeOptimized.
class Unigram final : public SubwordModel {
  public:
    // `where` names the file in errors. Throws FormatError for empty or equal texts, scores that are not
    // finite and an unknown_id out of range.
    Unigram(const std::vector<ScoredToken>& tokens, UnigramOptions options, std::string_view where);

    const Vocabulary& vocabulary() const override { return vocabulary_; }
    // Throws FormatError for an unknown character where there is no unknown_id.
    void encode(std::string_view piece, std::vector<std::int32_t>& ids) const override;

  private:
    // The best path to a place in a text.
    struct Node {
        double score = 0;
        std::int32_t id = -1;     // of its last token
        std::int64_t begin = -1;  // of that token; -1 where nothing leads here
    };

    std::vector<Node> best_paths(std::string_view piece) const;
    void append_unknown(std::string_view text, std::vector<std::int32_t>& ids) const;

    Vocabulary vocabulary_;
    UnigramOptions options_;
    ByteTokens byte_tokens_;
    ByteTrie trie_;
    std::vector<double> scores_;  // by id
    std::string where_;
};

// How much less than the least token's score an unknown character's is.
inline constexpr double kUnknownPenalty = 10;

// Builds the "model" object of type Unigram. Throws FormatError for missing or malformed members.
std::unique_ptr<const SubwordModel> build_unigram(const Json& config, std::string_view where);

}  // namespace assay
