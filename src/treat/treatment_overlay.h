// Treatments as overlays: what a pass sees when linears are quantized.
#pragma once

#include <functional>

#include "model/pass.h"
#include "records/treatment.h"

namespace assay {

// The operation on rounded inputs and the weight w [out, in] of `item`, rounded to nearest: each position
// with its own scale, without divisors. Throws NumericError, naming the item, for weights that cannot be
// rounded, InvalidArgument for a treatment without activations.
compute::RoundedLinear round_linear(const Treatment& treatment, const LinearItem& item,
                                    MatrixView<const float> w, ThreadPool& pool);

// Treats the weight [out, in] of `item` in place by the treatment's method. Throws NumericError as the method
// does, naming the item, and InvalidArgument for a method that cannot be applied to weights alone.
void apply_treatment(const Treatment& treatment, const LinearItem& item, MatrixView<float> w,
                     ThreadPool& pool);

// Treats the items that a predicate chooses, all alike; where inputs are rounded, linears of blocks only.
// Thread-safe.
class TreatmentOverlay final : public WeightOverlay {
  public:
    using Choice = std::function<bool(const LinearItem&)>;
    // Throws InvalidArgument for a treatment that looks at inputs on calibration windows.
    TreatmentOverlay(Treatment treatment, Choice choice);

    bool treats(const LinearItem& item) const override;
    void apply(const LinearItem& item, MatrixView<float> w) const override;
    bool rounds_inputs() const override { return treatment_.activations.has_value(); }
    compute::RoundedLinear rounded(const LinearItem& item, MatrixView<const float> w) const override;
    bool row_wise() const override;

  private:
    Treatment treatment_;
    Choice choice_;
};

}  // namespace assay
