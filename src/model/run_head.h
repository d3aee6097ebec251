// The output layer of one run: a model's, or a treated one, read part by part.
#pragma once

#include <cstdint>
#include <memory>

#include "compute/backend.h"
#include "model/weight_overlay.h"

namespace assay {

struct RunHead {
    const Model* model = nullptr;
    const WeightOverlay* overlay = nullptr;  // null where the output layer is not treated

    bool operator==(const RunHead&) const = default;
};

// The overlay is kept only where it treats the output layer, so that equal heads compare equal.
RunHead run_head(const Model& model, const WeightOverlay* overlay);

class HeadReader {
  public:
    // Reads a treated output layer whole, as its treatment needs it; any other one only in parts.
    HeadReader(const RunHead& head, compute::Backend& backend);

    // Tokens [first, first + count), packed. Throws as read_weight().
    std::unique_ptr<compute::PackedHead> part(std::int64_t first, std::int64_t count) const;

    // The same part as a linear, whose output is the logits before any softcap.
    std::unique_ptr<compute::PackedLinear> linear_part(std::int64_t first, std::int64_t count) const;

    // The same part's transpose, for the gradient of the hidden states.
    std::unique_ptr<compute::PackedLinear> transposed_part(std::int64_t first, std::int64_t count) const;

  private:
    template <class Pack>
    auto packed(std::int64_t first, std::int64_t count, const Pack& pack) const;

    const Model& model_;
    compute::Backend& backend_;
    Matrix<float> treated_;  // empty: not treated
};

}  // namespace assay
