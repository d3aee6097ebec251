// Subword models: from a pre-tokenized piece to ids.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "container/json.h"
#include "text/split.h"
#include "text/vocabulary.h"

namespace assay {

// Immutable, hence thread-safe.
class SubwordModel {
  public:
    virtual ~SubwordModel() = default;

    virtual const Vocabulary& vocabulary() const = 0;
    // Appends the ids of a non-empty piece (valid UTF-8). Throws FormatError for text that the model cannot
    // express.
    virtual void encode(std::string_view piece, std::vector<std::int32_t>& ids) const = 0;
    // Cuts a long piece into parts whose ids, one after the other, are those of the piece.
    virtual void cut(std::string_view piece, const PieceSink& sink) const { sink(piece); }
};

// Builds the "model" of a tokenizer.json. Throws FormatError, and Unsupported for models other than
// BPE and Unigram.
std::unique_ptr<const SubwordModel> build_subword_model(const Json& config, std::string_view where);

}  // namespace assay
