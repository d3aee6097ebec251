#include "model/weight_overlay.h"

#include "base/error.h"

namespace assay {

void WeightOverlay::apply(const LinearItem& item, MatrixView<float>) const {
    throw InvalidArgument(item.name +
                          ": its inputs are rounded, too: no change of its weight alone says what "
                          "this treatment does");
}

compute::RoundedLinear WeightOverlay::rounded(const LinearItem& item, MatrixView<const float>) const {
    throw InvalidArgument(item.name + ": this overlay leaves inputs as they are");
}

Matrix<float> treated_weight(const Model& model, const LinearItem& item, const WeightOverlay* overlay) {
    Matrix<float> w = read_weight(model.weights(), item.name);
    if (overlay != nullptr && overlay->treats(item)) overlay->apply(item, w.view());
    return w;
}

std::unique_ptr<compute::PackedLinear> pack_operation(const Model& model, compute::Backend& backend,
                                                      const LinearItem& item, const WeightOverlay* overlay,
                                                      std::span<const float> bias) {
    if (overlay == nullptr || !overlay->rounds_inputs() || !overlay->treats(item))
        return backend.pack_linear(treated_weight(model, item, overlay).view(), bias);
    return backend.pack_rounded(overlay->rounded(item, read_weight(model.weights(), item.name).view()), bias);
}

}  // namespace assay
