#include "text/scored_bpe.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/error.h"
#include "text/unicode.h"

namespace assay {
namespace {

// The place of each score among the different ones, the highest first.
std::vector<std::int32_t> ranks_of(const std::vector<ScoredToken>& tokens) {
    std::vector<double> scores;
    for (const ScoredToken& token : tokens) scores.push_back(token.score);
    std::sort(scores.begin(), scores.end(), std::greater<>());
    scores.erase(std::unique(scores.begin(), scores.end()), scores.end());
    std::vector<std::int32_t> ranks;
    for (const ScoredToken& token : tokens) {
        const auto at = std::lower_bound(scores.begin(), scores.end(), token.score, std::greater<>());
        ranks.push_back(token.in_text ? static_cast<std::int32_t>(at - scores.begin()) : -1);
    }
    return ranks;
}

}  // namespace

Vocabulary scored_vocabulary(const std::vector<ScoredToken>& tokens, std::string_view where) {
    if (tokens.empty() || tokens.size() > kMaxTokenId)
        throw FormatError(fmt::format("{}: has {} tokens", where, tokens.size()));
    Vocabulary vocabulary;
    for (std::size_t id = 0; id < tokens.size(); ++id) {
        if (tokens[id].text.empty()) throw FormatError(fmt::format("{}: token {} is empty", where, id));
        if (!std::isfinite(tokens[id].score))
            throw FormatError(fmt::format("{}: the score of token {} is not finite", where, id));
        vocabulary.add(tokens[id].text, static_cast<std::int32_t>(id), where);
    }
    return vocabulary;
}

ScoredBpe::ScoredBpe(const std::vector<ScoredToken>& tokens, ScoredBpeOptions options, std::string_view where)
    : vocabulary_(scored_vocabulary(tokens, where)),
      options_(options),
      byte_tokens_(vocabulary_),
      ranks_(ranks_of(tokens)) {
    for (std::size_t id = 0; id < tokens.size(); ++id) {
        if (!tokens[id].in_text) continue;
        bonds_.add(tokens[id].text);
        longest_bytes_ = std::max(longest_bytes_, tokens[id].text.size());
        if (tokens[id].is_whole) whole_.add(tokens[id].text, static_cast<std::int32_t>(id));
    }
    if (options_.unknown_id && !vocabulary_.find_text(*options_.unknown_id)) {
        throw FormatError(fmt::format("{}: the unknown token's id {} is not in the vocabulary", where,
                                      *options_.unknown_id));
    }
}

std::optional<MergedSymbol> ScoredBpe::find_merge(std::string_view text) const {
    if (text.size() > longest_bytes_) return std::nullopt;
    const auto id = vocabulary_.id_of(text);
    if (!id || ranks_[*id] < 0) return std::nullopt;
    return MergedSymbol{.rank = ranks_[*id], .id = *id};
}

void ScoredBpe::cut(std::string_view piece, const PieceSink& sink) const {
    bonds_.cut(
        piece, [this](std::string_view c) { return find_merge(c).has_value(); }, sink);
}

std::vector<Symbol> ScoredBpe::symbols_of(std::string_view piece) const {
    std::vector<Symbol> symbols;
    for (std::size_t begin = 0; begin < piece.size(); begin = symbols.back().end) {
        if (const auto whole = whole_.longest_at(piece, begin)) {
            symbols.push_back({.begin = begin, .end = whole->end, .id = whole->value, .is_fixed = true});
            continue;
        }
        const std::size_t end = begin + character_at(piece, begin).bytes;
        const auto known = find_merge(piece.substr(begin, end - begin));
        symbols.push_back({.begin = begin, .end = end, .id = known ? known->id : -1});
    }
    return symbols;
}

void ScoredBpe::encode(std::string_view piece, std::vector<std::int32_t>& ids) const {
    std::vector<Symbol> symbols = symbols_of(piece);
    link_symbols(symbols);
    merge_symbols(symbols, [&](const Symbol& left, const Symbol& right) -> std::optional<MergedSymbol> {
        if (left.is_fixed || right.is_fixed) return std::nullopt;
        return find_merge(piece.substr(left.begin, right.end - left.begin));
    });
    bool last_is_unknown = false;
    for (const Symbol& symbol : symbols) {
        if (!symbol.is_alive) continue;
        const bool was_unknown = last_is_unknown;
        last_is_unknown = false;
        if (symbol.id >= 0) {
            ids.push_back(symbol.id);
        } else if (!options_.byte_fallback ||
                   !byte_tokens_.append(piece.substr(symbol.begin, symbol.end - symbol.begin), ids)) {
            last_is_unknown = true;
            if (options_.unknown_id && !was_unknown) ids.push_back(*options_.unknown_id);
        }
    }
}

}  // namespace assay
