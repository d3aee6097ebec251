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
#include "text/subword_model.h"

namespace assay {

struct BpeOptions {
    bool ignore_merges = false;            // a piece that is itself a token is that token
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

  private:
    struct Product {
        std::int32_t rank;
        std::int32_t id;
    };
    struct Symbol {
        std::int32_t id;
        std::int64_t previous;  // -1 for none
        std::int64_t next;      // -1 for none
        bool is_alive = true;
    };
    struct Candidate {
        std::int32_t rank;
        std::int64_t position;
        std::int32_t id;
        bool operator<(const Candidate& other) const;
    };

    const Product* find_merge(std::int32_t left, std::int32_t right) const;
    std::vector<Symbol> characters_of(std::string_view piece) const;
    std::int32_t unknown_id(std::string_view piece) const;
    void merge_all(std::vector<Symbol>& symbols) const;

    Vocabulary vocabulary_;
    BpeOptions options_;
    std::string where_;
    std::optional<std::int32_t> unknown_id_;
    std::unordered_map<std::uint64_t, Product> merges_;  // by the pair of ids
};

// Builds the "model" object of type BPE. Throws FormatError for missing or malformed members, and Unsupported
// for byte_fallback, dropout, continuing_subword_prefix and end_of_word_suffix.
std::unique_ptr<const SubwordModel> build_bpe(const Json& config, std::string_view where);

// "left right", with exactly one space, as a merge. Throws FormatError naming `where`.
Bpe::Merge parse_merge(std::string_view text, std::string_view where);

}  // namespace assay
