// Tokenizers of SentencePiece models.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/error.h"
#include "text/metaspace.h"
#include "text/scored_bpe.h"
#include "text/sentencepiece_json.h"
#include "text/sentencepiece_normalizer.h"
#include "text/tokenizer.h"
#include "text/unigram.h"

namespace assay {
namespace {

using PieceType = SentencePieceModel::PieceType;

// A user-defined piece has to win against every other way to cut its text. Source: sentencepiece
// src/unigram_model.cc.
double user_defined_score(const std::string& text, float best) {
    return static_cast<double>(text.size()) * static_cast<double>(best) - 0.1;
}

std::vector<ScoredToken> scored_tokens(const SentencePieceModel& model, float best) {
    std::vector<ScoredToken> tokens;
    for (const auto& piece : model.pieces) {
        const bool is_user_defined = piece.type == PieceType::kUserDefined;
        tokens.push_back({.text = piece.text,
                          .score = static_cast<double>(piece.score),
                          .in_text = is_user_defined || piece.type == PieceType::kNormal,
                          .is_whole = is_user_defined});
        if (model.is_unigram && is_user_defined) tokens.back().score = user_defined_score(piece.text, best);
    }
    return tokens;
}

std::unique_ptr<const SubwordModel> subword_model(const SentencePieceModel& model, std::string_view what) {
    std::int32_t unknown_id = 0;
    float least = std::numeric_limits<float>::max();
    float best = std::numeric_limits<float>::min();  // the least positive number: the library's own slip
    for (std::size_t id = 0; id < model.pieces.size(); ++id) {
        const auto& piece = model.pieces[id];
        if (piece.type == PieceType::kUnknown) unknown_id = static_cast<std::int32_t>(id);
        if (piece.type != PieceType::kNormal) continue;
        least = std::min(least, piece.score);
        best = std::max(best, piece.score);
    }
    const std::vector<ScoredToken> tokens = scored_tokens(model, best);
    if (model.is_unigram) {
        const double unknown_score = static_cast<double>(least) - kUnknownPenalty;
        return std::make_unique<Unigram>(tokens,
                                         UnigramOptions{.unknown_id = unknown_id,
                                                        .unknown_score = unknown_score,
                                                        .byte_fallback = model.byte_fallback},
                                         what);
    }
    return std::make_unique<ScoredBpe>(
        tokens, ScoredBpeOptions{.byte_fallback = model.byte_fallback, .unknown_id = unknown_id}, what);
}

// Control pieces and the config's tokens, which beat them.
std::vector<AddedToken> added_tokens(const SentencePieceModel& model, const TokenizerConfig& config) {
    std::vector<AddedToken> tokens;
    for (const auto& added : config.added_tokens) tokens.push_back(added.token);
    for (const auto& piece : model.pieces) {
        if (piece.type != PieceType::kControl) continue;
        const auto is_same = [&](const AddedToken& token) { return token.content == piece.text; };
        if (std::none_of(tokens.begin(), tokens.end(), is_same))
            tokens.push_back({.content = piece.text, .special = true, .in_text = false});
    }
    return tokens;
}

// The config's name for a token, else the model's own piece if it is one that texts get.
std::optional<std::string> special_token(const std::optional<std::string>& name,
                                         const std::string& piece_text, const SentencePieceModel& model) {
    if (name) return name;
    for (const auto& piece : model.pieces)
        if (piece.text == piece_text && piece.type == PieceType::kControl) return piece_text;
    return std::nullopt;
}

}  // namespace

Tokenizer Tokenizer::from_sentencepiece(const SentencePieceModel& model, const TokenizerConfig& config,
                                        std::string_view what) {
    SentencePieceModel changed = model;
    changed.add_dummy_prefix = config.add_prefix_space.value_or(model.add_dummy_prefix);
    const bool strips = changed.add_dummy_prefix && !changed.treat_whitespace_as_suffix;
    const Json decoder = sentencepiece_decoder_json(strips);
    Parts parts{.normalizer = sentencepiece_normalizer(changed, what),
                .pre_tokenizer = build_pre_tokenizer(nullptr, what),
                .model = subword_model(model, what),
                .post_processor = {},
                .decoder = build_decoder(&decoder, what)};
    Tokenizer tokenizer(std::move(parts), added_tokens(model, config), what);
    for (const auto& added : config.added_tokens) {
        if (tokenizer.id_of(added.token.content) == added.id) continue;
        throw Unsupported(fmt::format(
            "{}: tokenizer_config.json gives the added token \"{:.100}\" the id {}, which is not the next "
            "free one",
            what, added.token.content, added.id));
    }
    TokenizerConfig complete = config;
    complete.tokenizer_class = "LlamaTokenizer";
    complete.bos_token = special_token(config.bos_token, model.bos_piece, model);
    complete.eos_token = special_token(config.eos_token, model.eos_piece, model);
    if (!config.add_bos) complete.add_bos = complete.bos_token.has_value();
    tokenizer.apply(complete, what);
    return tokenizer;
}

}  // namespace assay
