// The residual stream before the first block.
#pragma once

#include "model/model.h"
#include "model/token_chunks.h"

namespace assay {

// The embeddings of a chunk's tokens [rows, hidden]: rows of `table`, or where it is null of the stored
// embedding, of which only the rows that occur are read. Throws FormatError for a token outside the
// vocabulary, else as WeightSource::read().
compute::Tensor embed_chunk(const Model& model, compute::Backend& backend, const TokenChunk& chunk,
                            const Matrix<float>* table);

}  // namespace assay
