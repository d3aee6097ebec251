#include "text/sentencepiece_model.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "text/protobuf.h"
#include "text/unicode.h"
#include "text/vocabulary.h"

namespace assay {
namespace {

using Piece = SentencePieceModel::Piece;
using PieceType = SentencePieceModel::PieceType;

std::string as_text(const ProtobufField& field, const std::string& where) {
    require_utf8(field.as_bytes(), where);
    return std::string(field.as_bytes());
}

Piece read_piece(std::string_view message, const std::string& where) {
    Piece piece;
    for_each_field(message, where, [&](const ProtobufField& field) {
        switch (field.number()) {
            case 1:
                piece.text = as_text(field, where);
                break;
            case 2:
                piece.score = field.as_float();
                break;
            case 3: {
                const std::uint64_t type = field.as_varint();
                if (type < 1 || type > 6) throw FormatError(fmt::format("{}: type {} is none", where, type));
                piece.type = static_cast<PieceType>(type);
                break;
            }
        }
    });
    return piece;
}

void read_trainer_spec(std::string_view message, const std::string& where, SentencePieceModel& model) {
    for_each_field(message, where, [&](const ProtobufField& field) {
        switch (field.number()) {
            case 3: {
                constexpr std::uint64_t kUnigram = 1, kBpe = 2;
                const std::uint64_t type = field.as_varint();
                if (type != kUnigram && type != kBpe) {
                    throw Unsupported(fmt::format(
                        "{}: model type {} is not supported; supported: 1 (unigram), 2 (BPE)", where, type));
                }
                model.is_unigram = type == kUnigram;
                break;
            }
            case 24:
                model.treat_whitespace_as_suffix = field.as_bool();
                break;
            case 35:
                model.byte_fallback = field.as_bool();
                break;
            case 46:
                model.bos_piece = as_text(field, where);
                break;
            case 47:
                model.eos_piece = as_text(field, where);
                break;
        }
    });
}

void read_normalizer_spec(std::string_view message, const std::string& where, SentencePieceModel& model) {
    for_each_field(message, where, [&](const ProtobufField& field) {
        switch (field.number()) {
            case 2:
                model.charsmap = std::string(field.as_bytes());
                break;
            case 3:
                model.add_dummy_prefix = field.as_bool();
                break;
            case 4:
                model.remove_extra_whitespaces = field.as_bool();
                break;
            case 5:
                model.escape_whitespaces = field.as_bool();
                break;
        }
    });
}

void check_pieces(const SentencePieceModel& model, std::string_view what) {
    Vocabulary seen;
    std::int64_t unknown = 0;
    for (const Piece& piece : model.pieces) {
        const auto id = static_cast<std::int32_t>(seen.size());
        if (piece.text.empty()) throw FormatError(fmt::format("{}: piece {} is empty", what, id));
        seen.add(piece.text, id, what);
        unknown += piece.type == PieceType::kUnknown ? 1 : 0;
        if (piece.type == PieceType::kUnused && !model.is_unigram)
            throw Unsupported(
                fmt::format("{}: piece {} is unused, which is not supported in a BPE", what, id));
    }
    if (unknown != 1) throw FormatError(fmt::format("{}: {} unknown pieces, expected one", what, unknown));
}

}  // namespace

SentencePieceModel parse_sentencepiece_model(std::string_view bytes, std::string_view what) {
    SentencePieceModel model;
    const std::string name(what);
    for_each_field(bytes, what, [&](const ProtobufField& field) {
        switch (field.number()) {
            case 1:
                model.pieces.push_back(
                    read_piece(field.as_bytes(), fmt::format("{}: piece {}", name, model.pieces.size())));
                break;
            case 2:
                read_trainer_spec(field.as_bytes(), name + ": trainer_spec", model);
                break;
            case 3:
                read_normalizer_spec(field.as_bytes(), name + ": normalizer_spec", model);
                break;
        }
    });
    if (model.pieces.empty()) {
        throw FormatError(
            fmt::format("{}: no pieces: not a SentencePiece model (files of tiktoken have the same name); "
                        "put the model's "
                        "tokenizer.json there instead",
                        what));
    }
    check_pieces(model, what);
    return model;
}

}  // namespace assay
