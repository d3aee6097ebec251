// Treatments as overlays: what a pass sees when linears are quantized.
#pragma once

#include <functional>

#include "model/pass.h"
#include "records/treatment.h"

namespace assay {

// Treats the weight [out, in] of `item` in place by the treatment's method. Throws NumericError as the method
// does, naming the item, and InvalidArgument for a method that cannot be applied to weights alone.
void apply_treatment(const Treatment& treatment, const LinearItem& item, MatrixView<float> w,
                     ThreadPool& pool);

// Treats the items that a predicate chooses, all alike. Thread-safe.
class TreatmentOverlay final : public WeightOverlay {
  public:
    using Choice = std::function<bool(const LinearItem&)>;
    // Throws InvalidArgument for a method that cannot be applied to weights alone.
    TreatmentOverlay(Treatment treatment, Choice choice);

    bool treats(const LinearItem& item) const override { return choice_(item); }
    void apply(const LinearItem& item, MatrixView<float> w) const override;
    bool row_wise() const override;

  private:
    Treatment treatment_;
    Choice choice_;
};

}  // namespace assay
