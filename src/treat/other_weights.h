// Another model's weights in place of the model's own.
#pragma once

#include "model/weight_overlay.h"

namespace assay {

// Thread-safe. The other model must have the same items (treat/model_differences.h) and outlive it; apply()
// throws NumericError, naming tensor and place, at a NaN or Inf of the other model.
class OtherWeights final : public WeightOverlay {
  public:
    explicit OtherWeights(const Model& other) : other_(other) {}

    bool treats(const LinearItem& /*item*/) const override { return true; }
    void apply(const LinearItem& item, MatrixView<float> w) const override;
    bool row_wise() const override { return true; }
    void apply_rows(const LinearItem& item, std::span<const std::int64_t> rows,
                    MatrixView<float> w) const override;

  private:
    const Model& other_;
};

}  // namespace assay
