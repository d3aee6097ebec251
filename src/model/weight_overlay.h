// Replaces linears' operations: here by changing the weight before it is packed.
#pragma once

#include "model/model.h"
#include "tensor/matrix.h"

namespace assay {

// Thread-safe.
class WeightOverlay {
  public:
    virtual ~WeightOverlay() = default;
    virtual bool treats(const LinearItem& item) const = 0;
    // Changes w [out, in] in place. Called only where treats() says so.
    virtual void apply(const LinearItem& item, MatrixView<float> w) const = 0;
    // Whether apply() on some rows of w gives the same rows as on all of them.
    virtual bool row_wise() const { return false; }
};

// The item's weight as f32, with the overlay's change where it treats it (null: none). Throws as
// read_weight().
Matrix<float> treated_weight(const Model& model, const LinearItem& item, const WeightOverlay* overlay);

}  // namespace assay
