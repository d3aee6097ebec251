#include "text/sentencepiece_json.h"

#include <algorithm>
#include <array>
#include <string>
#include <tuple>

#include "text/byte_trie.h"
#include "text/metaspace.h"
#include "text/unicode.h"

namespace assay {
namespace {

struct Merge {
    std::string_view left;
    std::string_view right;
    std::array<std::int32_t, 2> ids;
    double score;
    std::size_t left_characters;
    std::size_t right_characters;
};

std::size_t count_characters(std::string_view text) {
    std::size_t count = 0;
    for (std::size_t offset = 0; offset < text.size(); ++count) offset += character_at(text, offset).bytes;
    return count;
}

}  // namespace

Json sentencepiece_decoder_json(bool strips_first_space) {
    Json steps = {{{"type", "Replace"}, {"pattern", {{"String", kSpaceMark}}}, {"content", " "}},
                  {{"type", "ByteFallback"}},
                  {{"type", "Fuse"}}};
    if (strips_first_space) steps.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
    return {{"type", "Sequence"}, {"decoders", std::move(steps)}};
}

Json space_mark_normalizer_json(bool prepends) {
    Json steps = Json::array();
    if (prepends) steps.push_back({{"type", "Prepend"}, {"prepend", kSpaceMark}});
    steps.push_back({{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", kSpaceMark}});
    return {{"type", "Sequence"}, {"normalizers", std::move(steps)}};
}

Json merges_of_scores(const std::vector<ScoredToken>& tokens) {
    ByteTrie trie;
    for (std::size_t id = 0; id < tokens.size(); ++id)
        if (tokens[id].in_text) trie.add(tokens[id].text, static_cast<std::int32_t>(id));
    std::vector<Merge> merges;
    for (const ScoredToken& token : tokens) {
        if (!token.in_text) continue;
        const auto begin = static_cast<std::ptrdiff_t>(merges.size());
        const std::string_view text = token.text;
        trie.for_each_at(text, 0, [&](const ByteTrie::Match& left) {
            const auto right = trie.longest_at(text, left.end);
            if (!right || right->end != text.size()) return;
            merges.push_back({.left = text.substr(0, left.end),
                              .right = text.substr(left.end),
                              .ids = {left.value, right->value},
                              .score = token.score,
                              .left_characters = count_characters(text.substr(0, left.end)),
                              .right_characters = count_characters(text.substr(left.end))});
        });
        std::sort(merges.begin() + begin, merges.end(),
                  [](const Merge& a, const Merge& b) { return a.ids < b.ids; });
    }
    std::stable_sort(merges.begin(), merges.end(), [](const Merge& a, const Merge& b) {
        return std::tie(a.score, a.left_characters, a.right_characters) >
               std::tie(b.score, b.left_characters, b.right_characters);
    });
    Json list = Json::array();
    for (const Merge& merge : merges) list.push_back({merge.left, merge.right});
    return list;
}

}  // namespace assay
