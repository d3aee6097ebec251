#include "text/added_tokens.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "text/unicode.h"

namespace assay {
namespace {

constexpr std::size_t kMaxNormalizedBytes = 1 << 16;  // of one token's content

bool touches_word(std::string_view text, std::size_t begin, std::size_t end) {
    return (begin > 0 && is_word_character(character_before(text, begin).code)) ||
           (end < text.size() && is_word_character(character_at(text, end).code));
}

// Moves `offset` left over whitespace, not beyond `least`.
std::size_t skip_spaces_before(std::string_view text, std::size_t offset, std::size_t least) {
    while (offset > least) {
        const Character c = character_before(text, offset);
        if (!is_whitespace(c.code)) break;
        offset -= c.bytes;
    }
    return offset;
}

std::size_t skip_spaces_after(std::string_view text, std::size_t offset) {
    while (offset < text.size()) {
        const Character c = character_at(text, offset);
        if (!is_whitespace(c.code)) break;
        offset += c.bytes;
    }
    return offset;
}

}  // namespace

AddedTokens::AddedTokens(const std::vector<AddedToken>& tokens, const Vocabulary& vocabulary,
                         const Normalizer& normalizer, std::string_view where) {
    std::int64_t next_id = vocabulary.size();
    for (const AddedToken& token : tokens) {
        if (token.content.empty()) continue;
        if (const auto known = ids_.id_of(token.content)) {
            if (entries_.at(*known).token == token) continue;
            throw FormatError(fmt::format("{}: \"{:.100}\" is given twice with different properties", where,
                                          token.content));
        }
        const auto id = vocabulary.id_of(token.content);
        const std::int64_t new_id = id ? *id : next_id;
        ids_.add(token.content, static_cast<std::int32_t>(new_id), where);
        entries_.emplace(
            static_cast<std::int32_t>(new_id),
            Entry{token, token.normalized ? normalizer(token.content, kMaxNormalizedBytes) : token.content});
        next_id = std::max(next_id, new_id + 1);
    }
    // Where two normalize to the same text the first one counts, special ones before others.
    for (const bool special : {true, false}) {
        for (const AddedToken& token : tokens) {
            if (token.content.empty() || !token.in_text || token.special != special) continue;
            const std::int32_t id = *ids_.id_of(token.content);
            (token.normalized ? normalized_ : raw_).add(entries_.at(id).text, id);
        }
    }
}

const std::string* AddedTokens::find_text(std::int32_t id) const {
    const auto found = entries_.find(id);
    return found == entries_.end() ? nullptr : &found->second.text;
}

bool AddedTokens::is_special(std::string_view text) const {
    const auto id = ids_.id_of(text);
    return id && entries_.at(*id).token.special;
}

void AddedTokens::split(const ByteTrie& trie, std::string_view text, const TokenPartSink& sink) const {
    std::size_t covered = 0;
    const auto gap = [&](std::size_t end) {
        if (covered < end) sink(text.substr(covered, end - covered), std::nullopt);
    };
    for (std::size_t at = 0; at < text.size();) {
        const auto match = trie.longest_at(text, at);
        if (!match) {
            ++at;
            continue;
        }
        const AddedToken& token = entries_.at(match->value).token;
        const bool is_refused = token.single_word && touches_word(text, at, match->end);
        const std::size_t begin =
            token.lstrip ? std::max(covered, skip_spaces_before(text, at, covered)) : at;
        const std::size_t end = token.rstrip ? skip_spaces_after(text, match->end) : match->end;
        at = match->end;
        if (is_refused || begin >= end) continue;  // nothing is left where the token before swallowed it
        gap(begin);
        sink(text.substr(begin, end - begin), match->value);
        covered = end;
    }
    gap(text.size());
}

}  // namespace assay
