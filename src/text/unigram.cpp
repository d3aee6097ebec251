#include "text/unigram.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "text/unicode.h"

namespace assay {

Unigram::Unigram(const std::vector<ScoredToken>& tokens, UnigramOptions options, std::string_view where)
    : vocabulary_(scored_vocabulary(tokens, where)),
      options_(options),
      byte_tokens_(vocabulary_),
      where_(where) {
    for (std::size_t id = 0; id < tokens.size(); ++id) {
        scores_.push_back(tokens[id].score);
        if (tokens[id].in_text) trie_.add(tokens[id].text, static_cast<std::int32_t>(id));
    }
    if (options_.unknown_id && !vocabulary_.find_text(*options_.unknown_id)) {
        throw FormatError(fmt::format("{}: the unknown token's id {} is not in the vocabulary", where,
                                      *options_.unknown_id));
    }
}

std::vector<Unigram::Node> Unigram::best_paths(std::string_view piece) const {
    std::vector<Node> nodes(piece.size() + 1);
    for (std::size_t begin = 0; begin < piece.size();) {
        const double score_here = nodes[begin].score;
        const std::size_t character_end = begin + character_at(piece, begin).bytes;
        const auto offer = [&](std::size_t end, std::int32_t id, double score) {
            Node& node = nodes[end];
            if (node.begin >= 0 && !(score > node.score)) return;
            node = {.score = score, .id = id, .begin = static_cast<std::int64_t>(begin)};
        };
        bool has_single = false;
        trie_.for_each_at(piece, begin, [&](const ByteTrie::Match& match) {
            offer(match.end, match.value, scores_[match.value] + score_here);
            has_single = has_single || match.end == character_end;
        });
        if (!has_single) {
            if (!options_.unknown_id) {
                throw FormatError(fmt::format("{}: \"{}\" has no token, and there is no unknown token",
                                              where_, piece.substr(begin, character_end - begin)));
            }
            offer(character_end, *options_.unknown_id, options_.unknown_score + score_here);
        }
        begin = character_end;
    }
    return nodes;
}

void Unigram::append_unknown(std::string_view text, std::vector<std::int32_t>& ids) const {
    if (const auto match = trie_.longest_at(text, 0); match && match->end == text.size()) {
        ids.push_back(match->value);  // such as the unknown token's own text
    } else if (!options_.byte_fallback || !byte_tokens_.append(text, ids)) {
        ids.push_back(*options_.unknown_id);
    }
}

void Unigram::encode(std::string_view piece, std::vector<std::int32_t>& ids) const {
    const std::vector<Node> nodes = best_paths(piece);
    std::vector<std::size_t> ends;  // of the path's tokens, last first
    for (std::size_t end = piece.size(); end > 0; end = static_cast<std::size_t>(nodes[end].begin))
        ends.push_back(end);
    std::reverse(ends.begin(), ends.end());
    std::size_t unknown_begin = 0, begin = 0;
    const auto end_unknown_run = [&] {
        if (unknown_begin < begin) append_unknown(piece.substr(unknown_begin, begin - unknown_begin), ids);
    };
    for (const std::size_t end : ends) {
        if (nodes[end].id != options_.unknown_id) {
            end_unknown_run();
            ids.push_back(nodes[end].id);
            unknown_begin = end;
        }
        begin = end;
    }
    end_unknown_run();
}

std::unique_ptr<const SubwordModel> build_unigram(const Json& config, std::string_view where) {
    const std::string path = json_path(where, "vocab");
    std::vector<ScoredToken> tokens;
    double least = 0;
    for (const Json& entry : require_array(config, "vocab", where)) {
        if (!entry.is_array() || entry.size() != 2)
            throw FormatError(fmt::format("{}: entry {} is not a token and a score", path, tokens.size()));
        tokens.push_back({.text = as_string(entry[0], path), .score = as_number(entry[1], path)});
        least = tokens.size() == 1 ? tokens[0].score : std::min(least, tokens.back().score);
    }
    UnigramOptions options{.unknown_score = least - kUnknownPenalty,
                           .byte_fallback = optional_bool(config, "byte_fallback", where).value_or(false)};
    if (const auto id = optional_int(config, "unk_id", where, {.least = 0, .most = kMaxTokenId}))
        options.unknown_id = static_cast<std::int32_t>(*id);
    return std::make_unique<Unigram>(tokens, options, path);
}

}  // namespace assay
