// tokenizer.model: a SentencePiece model as protobuf.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

// The parts of a ModelProto that decide ids. Source: sentencepiece src/sentencepiece_model.proto, with its
// defaults.
//
// The file is read here, not by libsentencepiece: that library shows the pieces, but not the kind of model
// nor the normalization, and it walks the file's double array without bounds, so that a hostile file crashes
// it. The tests hold ids to the library's.
struct SentencePieceModel {
    enum class PieceType { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused, kByte };
    struct Piece {
        std::string text;
        float score = 0;
        PieceType type = PieceType::kNormal;
    };

    std::vector<Piece> pieces{};  // by id
    bool is_unigram = true;       // else byte pair encoding
    bool byte_fallback = false;
    std::string bos_piece = "<s>";
    std::string eos_piece = "</s>";
    bool treat_whitespace_as_suffix = false;

    std::string charsmap{};  // see Charsmap
    bool add_dummy_prefix = true;
    bool remove_extra_whitespaces = true;
    bool escape_whitespaces = true;
};

// Throws FormatError, naming `what`, for bytes that are no ModelProto, for no, empty or equal pieces, texts
// that are not UTF-8 and a count of unknown pieces other than one; Unsupported for models of words and
// characters, and for unused pieces in a byte pair encoding.
SentencePieceModel parse_sentencepiece_model(std::string_view bytes, std::string_view what);

}  // namespace assay
