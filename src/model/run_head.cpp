#include "model/run_head.h"

namespace assay {

RunHead run_head(const Model& model, const WeightOverlay* overlay) {
    const bool treated = overlay != nullptr && overlay->treats(model.head_item());
    return {&model, treated ? overlay : nullptr};
}

HeadReader::HeadReader(const RunHead& head, compute::Backend& backend)
    : model_(*head.model), backend_(backend), treated_(0, 0) {
    if (head.overlay != nullptr) treated_ = treated_weight(model_, model_.head_item(), head.overlay);
    model_.weights().release(model_.head_item().name + ".weight");
}

std::unique_ptr<compute::PackedHead> HeadReader::part(std::int64_t first, std::int64_t count) const {
    const double softcap = model_.config().final_softcap;
    if (treated_.rows() > 0) return backend_.pack_head(treated_.view().row_range(first, count), softcap);
    const Matrix<float> rows = read_weight_rows(model_.weights(), model_.head_item().name, first, count);
    model_.weights().release(model_.head_item().name + ".weight");
    return backend_.pack_head(rows.view(), softcap);
}

}  // namespace assay
