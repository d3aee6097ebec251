#include "text/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "container/json.h"
#include "text/gguf_tokenizer_json.h"
#include "text/scored_bpe.h"
#include "text/unicode.h"

namespace assay {
namespace {

// How long normalizers and decoders may make a piece of text.
constexpr std::size_t max_growth(std::size_t bytes) {
    return 64 * bytes + 4096;
}

// The words of one encode() call, each encoded once.
class EncodedPieces {
  public:
    EncodedPieces(const SubwordModel& model, std::vector<std::int32_t>& ids) : model_(model), ids_(ids) {}

    void append(std::string_view piece) {
        if (piece.size() <= kMaxPieceBytes) return append_part(piece);
        model_.cut(piece, [this](std::string_view part) { append_part(part); });
    }

  private:
    static constexpr std::size_t kMaxPieceBytes = 256;
    static constexpr std::size_t kMaxPieces = 1 << 18;

    void append_part(std::string_view piece) {
        if (const auto known = known_.find(piece); known != known_.end()) {
            ids_.insert(ids_.end(), known->second.begin(), known->second.end());
            return;
        }
        const auto begin = static_cast<std::ptrdiff_t>(ids_.size());
        model_.encode(piece, ids_);
        if (piece.size() <= kMaxPieceBytes && known_.size() < kMaxPieces) {
            known_.emplace(piece, std::vector<std::int32_t>(ids_.begin() + begin, ids_.end()));
        }
    }

    const SubwordModel& model_;
    std::vector<std::int32_t>& ids_;
    std::unordered_map<std::string, std::vector<std::int32_t>, TextHash, std::equal_to<>> known_;
};

std::vector<AddedToken> read_added_tokens(const Json& root, std::string_view what) {
    std::vector<AddedToken> tokens;
    const Json* list = optional_array(root, "added_tokens", what);
    if (list == nullptr) return tokens;
    const std::string where = json_path(what, "added_tokens");
    for (const Json& token : *list) {
        require_int(token, "id", where, {.least = 0, .most = kMaxTokenId});
        tokens.push_back({.content = require_string(token, "content", where),
                          .single_word = require_bool(token, "single_word", where),
                          .lstrip = require_bool(token, "lstrip", where),
                          .rstrip = require_bool(token, "rstrip", where),
                          .normalized = require_bool(token, "normalized", where),
                          .special = require_bool(token, "special", where)});
    }
    return tokens;
}

std::optional<std::int32_t> first_of(const std::vector<std::int32_t>& ids) {
    return ids.empty() ? std::nullopt : std::optional(ids.front());
}

std::optional<std::int32_t> last_of(const std::vector<std::int32_t>& ids) {
    return ids.empty() ? std::nullopt : std::optional(ids.back());
}

}  // namespace

Tokenizer::Tokenizer(Parts parts, const std::vector<AddedToken>& added_tokens, std::string_view what)
    : parts_(std::move(parts)),
      added_tokens_(added_tokens, parts_.model->vocabulary(), parts_.normalizer,
                    json_path(what, "added_tokens")) {
    check_special_ids(what);
}

void Tokenizer::check_special_ids(std::string_view what) const {
    for (const auto* ids : {&parts_.post_processor.before, &parts_.post_processor.after}) {
        for (const std::int32_t id : *ids) {
            if (!token_text(id))
                throw FormatError(fmt::format("{}: special token id {} is not in the vocabulary", what, id));
        }
    }
}

Tokenizer Tokenizer::from_json(std::string_view tokenizer_json, std::string_view what,
                               const TokenizerConfig& config) {
    const Json root = parse_json(tokenizer_json, what);
    auto model = build_subword_model(require_object(root, "model", what), json_path(what, "model"));
    Tokenizer tokenizer = build(root, std::move(model), what);
    tokenizer.apply(config, what);
    return tokenizer;
}

Tokenizer Tokenizer::from_gguf(const GgufVocabulary& vocabulary, std::string_view what) {
    const bool has_scores = vocabulary.model == "llama";
    const Json root =
        has_scores ? gguf_pipeline_json(vocabulary, what) : gguf_tokenizer_json(vocabulary, what);
    auto model =
        has_scores ? std::make_unique<ScoredBpe>(gguf_scored_tokens(vocabulary, what),
                                                 ScoredBpeOptions{.unknown_id = gguf_unknown_id(vocabulary)},
                                                 json_path(what, "tokenizer.ggml.tokens"))
                   : build_subword_model(require_object(root, "model", what), json_path(what, "model"));
    Tokenizer tokenizer = build(root, std::move(model), what);
    if (vocabulary.bos_id) tokenizer.parts_.bos_id = vocabulary.bos_id;
    if (vocabulary.eos_id) tokenizer.parts_.eos_id = vocabulary.eos_id;
    return tokenizer;
}

// The template around a text as the config wants it, and the names of its tokens.
void Tokenizer::apply(const TokenizerConfig& config, std::string_view what) {
    const auto find = [&](const std::optional<std::string>& token, std::optional<std::int32_t>& id) {
        if (!token) return;
        if (const auto named = id_of(*token)) id = named;
    };
    find(config.bos_token, parts_.bos_id);
    find(config.eos_token, parts_.eos_id);
    if (!config.overrides_template()) return;
    const auto around = [&](bool is_wanted, const std::optional<std::int32_t>& id, std::string_view name) {
        std::vector<std::int32_t> ids;
        if (!is_wanted) return ids;
        if (!id) {
            throw FormatError(fmt::format(
                "{}: tokenizer_config.json asks for add_{}_token, but names no {}_token of the vocabulary",
                what, name, name));
        }
        ids.push_back(*id);
        return ids;
    };
    parts_.post_processor = {.before = around(config.add_bos.value_or(true), parts_.bos_id, "bos"),
                             .after = around(config.add_eos.value_or(false), parts_.eos_id, "eos")};
}

Tokenizer Tokenizer::build(const Json& root, std::unique_ptr<const SubwordModel> model,
                           std::string_view what) {
    const std::string version = optional_string(root, "version", what).value_or("1.0");
    if (version != "1.0") {
        throw Unsupported(
            fmt::format("{}: version \"{:.100}\" is not supported; supported: 1.0", what, version));
    }
    const auto part = [&](const char* name) { return optional_object(root, name, what); };
    const auto path = [&](const char* name) { return json_path(what, name); };
    Parts parts{.normalizer = build_normalizer(part("normalizer"), path("normalizer")),
                .pre_tokenizer = build_pre_tokenizer(part("pre_tokenizer"), path("pre_tokenizer")),
                .model = std::move(model),
                .post_processor = build_post_processor(part("post_processor"), path("post_processor")),
                .decoder = build_decoder(part("decoder"), path("decoder"))};
    parts.bos_id = first_of(parts.post_processor.before);
    parts.eos_id = last_of(parts.post_processor.after);
    return Tokenizer(std::move(parts), read_added_tokens(root, what), what);
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view utf8, bool add_special_tokens) const {
    require_utf8(utf8, "text to encode");
    std::vector<std::int32_t> ids;
    if (add_special_tokens) ids = parts_.post_processor.before;
    EncodedPieces pieces(*parts_.model, ids);
    const PieceSink encode_piece = [&](std::string_view piece) { pieces.append(piece); };
    added_tokens_.split_raw(utf8, [&](std::string_view raw, std::optional<std::int32_t> raw_id) {
        if (raw_id) return ids.push_back(*raw_id);
        const std::string text = parts_.normalizer(std::string(raw), max_growth(raw.size()));
        added_tokens_.split_normalized(text, [&](std::string_view part, std::optional<std::int32_t> id) {
            if (id) return ids.push_back(*id);
            const bool is_first = raw.data() == utf8.data() && part.data() == text.data();
            parts_.pre_tokenizer({.text = part, .is_first = is_first}, encode_piece);
        });
    });
    if (add_special_tokens)
        ids.insert(ids.end(), parts_.post_processor.after.begin(), parts_.post_processor.after.end());
    return ids;
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, bool skip_special_tokens) const {
    std::vector<std::string> texts;
    std::size_t bytes = 0;
    for (const std::int32_t id : ids) {
        auto text = token_text(id);
        if (!text || (skip_special_tokens && added_tokens_.is_special(*text))) continue;
        bytes += text->size();
        texts.push_back(*std::move(text));
    }
    std::string text;
    for (const std::string& part : parts_.decoder(std::move(texts), max_growth(bytes))) text += part;
    return text;
}

std::int64_t Tokenizer::vocabulary_size() const {
    return std::max(parts_.model->vocabulary().end_id(), added_tokens_.end_id());
}

std::optional<std::string> Tokenizer::token_text(std::int32_t id) const {
    if (const std::string* added = added_tokens_.find_text(id)) return *added;
    const std::string* text = parts_.model->vocabulary().find_text(id);
    return text != nullptr ? std::optional(*text) : std::nullopt;
}

std::optional<std::int32_t> Tokenizer::id_of(std::string_view token_text) const {
    const auto added = added_tokens_.id_of(token_text);
    return added ? added : parts_.model->vocabulary().id_of(token_text);
}

}  // namespace assay
