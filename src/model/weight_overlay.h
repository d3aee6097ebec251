// Replaces linears' operations: by changing the weight before it is packed, or by another operation.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "compute/rounded_linear.h"
#include "model/model.h"
#include "tensor/matrix.h"

namespace assay {

// Thread-safe.
class WeightOverlay {
  public:
    virtual ~WeightOverlay() = default;
    virtual bool treats(const LinearItem& item) const = 0;
    // Changes w [out, in] in place. Called only where treats() says so. As it is here, it throws
    // InvalidArgument: no change of the weight says what an overlay does that rounds inputs.
    virtual void apply(const LinearItem& item, MatrixView<float> w) const;
    // Whether inputs are rounded, too: then a linear's operation is that of rounded(), and there is no
    // apply(). Such overlays treat linears of blocks only.
    virtual bool rounds_inputs() const { return false; }
    // The operation for the item's weight w [out, in]. Called only where rounds_inputs() says so.
    virtual compute::RoundedLinear rounded(const LinearItem& item, MatrixView<const float> w) const;
    // Whether apply_rows() on some rows gives the same as apply() on all of them.
    virtual bool row_wise() const { return false; }
    // Changes some rows: row i of w is row rows[i] of the weight. Called only where row_wise() says so. As it
    // is here, it serves changes that look at nothing but the rows themselves.
    virtual void apply_rows(const LinearItem& item, std::span<const std::int64_t> /*rows*/,
                            MatrixView<float> w) const {
        apply(item, w);
    }
};

// The item's weight as f32, with the overlay's change where it treats it (null: none). Throws as
// read_weight().
Matrix<float> treated_weight(const Model& model, const LinearItem& item, const WeightOverlay* overlay);

// What a linear does under the overlay (null: none), packed with a bias (empty: none). Throws as
// read_weight() and the overlay.
std::unique_ptr<compute::PackedLinear> pack_operation(const Model& model, compute::Backend& backend,
                                                      const LinearItem& item, const WeightOverlay* overlay,
                                                      std::span<const float> bias);

}  // namespace assay
