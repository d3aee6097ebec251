#include "model/embedding.h"

#include <algorithm>
#include <string>

#include "base/error.h"

namespace assay {

compute::Tensor embed_chunk(const Model& model, compute::Backend& backend, const TokenChunk& chunk,
                            const Matrix<float>* table) {
    Matrix<float> rows(chunk.rows.rows(), model.config().hidden);
    const std::string name = std::string(kEmbeddingName) + ".weight";
    std::int64_t row = 0;
    for (const TokenWindow& window : chunk.windows) {
        for (std::int32_t token : window) {
            if (token < 0 || token >= model.config().vocabulary) {
                throw FormatError(
                    "token id " + std::to_string(token) + " is outside the model's vocabulary of " +
                    std::to_string(model.config().vocabulary) + "; the ids belong to another tokenizer");
            }
            const auto out = rows.view().row_range(row++, 1);
            if (table == nullptr)
                model.weights().read(name, token, out);
            else
                std::copy(table->row(token).begin(), table->row(token).end(), out.row(0).begin());
        }
    }
    const auto scale = static_cast<float>(model.config().embedding_scale);
    if (scale != 1.0f) {
        for (float& v : rows.values()) v *= scale;
    }
    compute::Tensor state = backend.allocate(rows.rows(), rows.cols());
    backend.upload(rows.view(), state);
    return state;
}

}  // namespace assay
