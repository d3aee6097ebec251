// Byte pair encoding.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "container/json.h"
#include "text/bonds.h"
#include "text/byte_tokens.h"
#include "text/subword_model.h"
#include "text/symbols.h"

namespace assay {

struct BpeOptions {
    bool ignore_merges = false;            // a piece that is itself a token is that token
    bool byte_fallback = false;            // characters without a token become byte tokens where all exist
    bool fuse_unknown = false;             // neighbouring unknown characters are one unknown token
    std::optional<std::string> unknown{};  // stands for characters without a token; without it they vanish
};

// Starts from the characters of a piece and joins, again and again, the pair that comes first in the list of
// merges (leftmost among equals). O(n log n) in the length of a piece. Source: Sennrich, Haddow, Birch 2016;
// `tokenizers` models/bpe.
class Bpe final : public SubwordModel {
  public:
    using Merge = std::pair<std::string, std::string>;

    // `where` names the file in errors. Throws FormatError for a merge whose parts or product are no tokens.
    Bpe(Vocabulary vocabulary, const std::vector<Merge>& merges, BpeOptions options, std::string_view where);

    const Vocabulary& vocabulary() const override { return vocabulary_; }
    void encode(std::string_view piece, std::vector<std::int32_t>& ids) const override;
    void cut(std::string_view piece, const PieceSink& sink) const override;

  private:
    std::vector<Symbol> symbols_of(std::string_view piece) const;
    std::int32_t unknown_id(std::string_view piece) const;

    Vocabulary vocabulary_;
    BpeOptions options_;
    std::string where_;
    std::optional<std::int32_t> unknown_id_;
    ByteTokens byte_tokens_;
    Bonds bonds_;
    std::unordered_map<std::uint64_t, MergedSymbol> merges_;  // by the pair of ids
};

// Builds the "model" object of type BPE. Throws FormatError for missing or malformed members, and Unsupported
// for dropout, continuing_subword_prefix and end_of_word_suffix.
std::unique_ptr<const SubwordModel> build_bpe(const Json& config, std::string_view where);

// "left right", with exactly one space, as a merge. Throws FormatError naming `where`.
Bpe::Merge parse_merge(std::string_view text, std::string_view where);

}  // namespace assay
