#include "text/bpe.h"

#include <fmt/format.h>

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
        throw Unsupported(
            fmt::format("{}: this {} is not supported; supported: BPE with {}", where, member, supported));
    };
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
    : vocabulary_(std::move(vocabulary)),
      options_(std::move(options)),
      where_(where),
      byte_tokens_(vocabulary_) {
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
        bonds_.add(left + right);
        // A pair that is listed twice has the rank of its last mention.
        merges_[pair_key(left_id, right_id)] = {.rank = static_cast<std::int32_t>(rank),
                                                .id = id_of(left + right)};
    }
}

void Bpe::encode(std::string_view piece, std::vector<std::int32_t>& ids) const {
    if (options_.ignore_merges) {
        if (const auto id = vocabulary_.id_of(piece)) return ids.push_back(*id);
    }
    std::vector<Symbol> symbols = symbols_of(piece);
    link_symbols(symbols);
    merge_symbols(symbols, [this](const Symbol& left, const Symbol& right) -> std::optional<MergedSymbol> {
        const auto found = merges_.find(pair_key(left.id, right.id));
        if (found == merges_.end()) return std::nullopt;
        return found->second;
    });
    for (const Symbol& symbol : symbols)
        if (symbol.is_alive) ids.push_back(symbol.id);
}

void Bpe::cut(std::string_view piece, const PieceSink& sink) const {
    if (options_.ignore_merges) return sink(piece);
    bonds_.cut(
        piece, [this](std::string_view c) { return vocabulary_.id_of(c).has_value(); }, sink);
}

std::int32_t Bpe::unknown_id(std::string_view piece) const {
    if (unknown_id_) return *unknown_id_;
    throw FormatError(fmt::format(
        "{}: \"{:.100}\" has a character without a token, and unk_token \"{:.100}\" is not in the vocabulary",
        where_, piece, *options_.unknown));
}

// An unknown token waits until a known character or another unknown one follows; byte tokens overtake it. So
// does the `tokenizers` library.
std::vector<Symbol> Bpe::symbols_of(std::string_view piece) const {
    std::vector<Symbol> symbols;
    std::vector<std::int32_t> bytes;
    bool is_unknown_waiting = false;
    const auto release = [&] {
        if (is_unknown_waiting) symbols.push_back({.id = unknown_id(piece)});
        is_unknown_waiting = false;
    };
    for (std::size_t offset = 0; offset < piece.size();) {
        const std::string_view character = piece.substr(offset, character_at(piece, offset).bytes);
        offset += character.size();
        bytes.clear();
        if (const auto id = vocabulary_.id_of(character)) {
            release();
            symbols.push_back({.id = *id});
        } else if (options_.byte_fallback && byte_tokens_.append(character, bytes)) {
            for (const std::int32_t byte : bytes) symbols.push_back({.id = byte});
        } else if (options_.unknown) {
            if (!options_.fuse_unknown) release();
            is_unknown_waiting = true;
        }
    }
    release();
    return symbols;
}

std::unique_ptr<const SubwordModel> build_bpe(const Json& config, std::string_view where) {
    refuse_options(config, where);
    BpeOptions options{.ignore_merges = optional_bool(config, "ignore_merges", where).value_or(false),
                       .byte_fallback = optional_bool(config, "byte_fallback", where).value_or(false),
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
