#include "text/bpe.h"

#include <fmt/format.h>

#include <algorithm>
#include <queue>

#include "base/error.h"
#include "text/unicode.h"

namespace assay {
namespace {

std::uint64_t pair_key(std::int32_t left, std::int32_t right) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
           static_cast<std::uint32_t>(right);
}

void refuse_options(const Json& config, std::string_view where) {
    const auto refuse = [&](std::string_view member, std::string_view supported) {
        throw Unsupported(fmt::format("{}: this {} is not supported; supported: byte-level BPE with {}",
                                      where, member, supported));
    };
    if (optional_bool(config, "byte_fallback", where).value_or(false))
        refuse("byte_fallback", "byte_fallback false");
    if (optional_number(config, "dropout", where).value_or(0.0) != 0.0)
        refuse("dropout", "no dropout, which is random");
    for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"}) {
        if (!optional_string(config, affix, where).value_or("").empty()) refuse(affix, "an empty one");
    }
}

Vocabulary read_vocabulary(const Json& config, std::string_view where) {
    const std::string path = json_path(where, "vocab");
    Vocabulary vocabulary;
    for (const auto& [token, id] : require_object(config, "vocab", where).items()) {
        constexpr IntRange kIds{.least = 0, .most = kMaxTokenId};
        vocabulary.add(token, static_cast<std::int32_t>(as_int(id, json_path(path, token), kIds)), path);
    }
    if (vocabulary.size() == 0) throw FormatError(fmt::format("{} has no tokens", path));
    return vocabulary;
}

std::vector<Bpe::Merge> read_merges(const Json& config, std::string_view where) {
    const std::string path = json_path(where, "merges");
    std::vector<Bpe::Merge> merges;
    for (const Json& merge : require_array(config, "merges", where)) {
        if (!merge.is_array()) {
            const std::string text = as_string(merge, path);
            if (!text.starts_with("#version")) merges.push_back(parse_merge(text, path));
            continue;
        }
        if (merge.size() != 2)
            throw FormatError(fmt::format("{}: merge {} is not of two tokens", path, merges.size()));
        merges.emplace_back(as_string(merge[0], path), as_string(merge[1], path));
    }
    return merges;
}

}  // namespace

Bpe::Bpe(Vocabulary vocabulary, const std::vector<Merge>& merges, BpeOptions options, std::string_view where)
    : vocabulary_(std::move(vocabulary)), options_(std::move(options)), where_(where) {
    if (options_.unknown) unknown_id_ = vocabulary_.id_of(*options_.unknown);
    merges_.reserve(merges.size());
    for (std::size_t rank = 0; rank < merges.size(); ++rank) {
        const std::string& left = merges[rank].first;
        const std::string& right = merges[rank].second;
        const auto id_of = [&](const std::string& token) {
            const auto id = vocabulary_.id_of(token);
            if (!id) {
                throw FormatError(fmt::format(
                    "{}: merge {} (\"{:.100}\", \"{:.100}\"): \"{:.100}\" is not in the vocabulary", where,
                    rank, left, right, token));
            }
            return *id;
        };
        const std::int32_t left_id = id_of(left);
        const std::int32_t right_id = id_of(right);
        // A pair that is listed twice has the rank of its last mention.
        merges_[pair_key(left_id, right_id)] = {.rank = static_cast<std::int32_t>(rank),
                                                .id = id_of(left + right)};
    }
}

void Bpe::encode(std::string_view piece, std::vector<std::int32_t>& ids) const {
    if (options_.ignore_merges) {
        if (const auto id = vocabulary_.id_of(piece)) return ids.push_back(*id);
    }
    std::vector<Symbol> symbols = characters_of(piece);
    merge_all(symbols);
    for (const Symbol& symbol : symbols)
        if (symbol.is_alive) ids.push_back(symbol.id);
}

const Bpe::Product* Bpe::find_merge(std::int32_t left, std::int32_t right) const {
    const auto found = merges_.find(pair_key(left, right));
    return found == merges_.end() ? nullptr : &found->second;
}

std::int32_t Bpe::unknown_id(std::string_view piece) const {
    if (unknown_id_) return *unknown_id_;
    throw FormatError(fmt::format(
        "{}: \"{:.100}\" has a character without a token, and unk_token \"{:.100}\" is not in the vocabulary",
        where_, piece, *options_.unknown));
}

std::vector<Bpe::Symbol> Bpe::characters_of(std::string_view piece) const {
    std::vector<Symbol> symbols;
    bool last_is_unknown = false;
    for (std::size_t offset = 0; offset < piece.size();) {
        const std::size_t bytes = character_at(piece, offset).bytes;
        std::optional<std::int32_t> id = vocabulary_.id_of(piece.substr(offset, bytes));
        offset += bytes;
        const bool is_unknown = !id;
        if (is_unknown) {
            if (!options_.unknown || (last_is_unknown && options_.fuse_unknown)) continue;
            id = unknown_id(piece);
        }
        last_is_unknown = is_unknown;
        const auto at = static_cast<std::int64_t>(symbols.size());
        symbols.push_back({.id = *id, .previous = at - 1, .next = at + 1});
    }
    if (!symbols.empty()) symbols.back().next = -1;
    return symbols;
}

bool Bpe::Candidate::operator<(const Candidate& other) const {  // the top of a heap is the best one
    return rank != other.rank ? rank > other.rank : position > other.position;
}

void Bpe::merge_all(std::vector<Symbol>& symbols) const {
    std::priority_queue<Candidate> queue;
    const auto offer = [&](std::int64_t left) {
        if (left < 0 || symbols[left].next < 0) return;
        if (const Product* product = find_merge(symbols[left].id, symbols[symbols[left].next].id)) {
            queue.push({.rank = product->rank, .position = left, .id = product->id});
        }
    };
    for (std::size_t at = 0; at + 1 < symbols.size(); ++at) offer(static_cast<std::int64_t>(at));

    while (!queue.empty()) {
        const Candidate best = queue.top();
        queue.pop();
        Symbol& left = symbols[best.position];
        if (!left.is_alive || left.next < 0) continue;
        Symbol& right = symbols[left.next];
        const Product* product = find_merge(left.id, right.id);
        if (product == nullptr || product->id != best.id) continue;  // the pair has changed since
        left.id = best.id;
        left.next = right.next;
        right.is_alive = false;
        if (right.next >= 0) symbols[right.next].previous = best.position;
        offer(left.previous);
        offer(best.position);
    }
}

std::unique_ptr<const SubwordModel> build_bpe(const Json& config, std::string_view where) {
    refuse_options(config, where);
    BpeOptions options{.ignore_merges = optional_bool(config, "ignore_merges", where).value_or(false),
                       .fuse_unknown = optional_bool(config, "fuse_unk", where).value_or(false),
                       .unknown = optional_string(config, "unk_token", where)};
    return std::make_unique<Bpe>(read_vocabulary(config, where), read_merges(config, where),
                                 std::move(options), where);
}

Bpe::Merge parse_merge(std::string_view text, std::string_view where) {
    const std::size_t space = text.find(' ');
    if (space == text.npos || text.find(' ', space + 1) != text.npos) {
        throw FormatError(
            fmt::format("{}: merge \"{:.100}\" is not two tokens with one space between", where, text));
    }
    return {std::string(text.substr(0, space)), std::string(text.substr(space + 1))};
}

}  // namespace assay
