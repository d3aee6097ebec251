#include "model/weight_overlay.h"

namespace assay {

Matrix<float> treated_weight(const Model& model, const LinearItem& item, const WeightOverlay* overlay) {
    Matrix<float> w = read_weight(model.weights(), item.name);
    if (overlay != nullptr && overlay->treats(item)) overlay->apply(item, w.view());
    return w;
}

}  // namespace assay
