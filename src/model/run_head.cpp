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

template <class Pack>
auto HeadReader::packed(std::int64_t first, std::int64_t count, const Pack& pack) const {
    if (treated_.rows() > 0) return pack(treated_.view().row_range(first, count));
    const Matrix<float> rows = read_weight_rows(model_.weights(), model_.head_item().name, first, count);
    model_.weights().release(model_.head_item().name + ".weight");
    return pack(rows.view());
}

std::unique_ptr<compute::PackedHead> HeadReader::part(std::int64_t first, std::int64_t count) const {
    return packed(first, count, [this](MatrixView<const float> rows) {
        return backend_.pack_head(rows, model_.config().final_softcap);
    });
}

std::unique_ptr<compute::PackedLinear> HeadReader::linear_part(std::int64_t first, std::int64_t count) const {
    return packed(first, count,
                  [this](MatrixView<const float> rows) { return backend_.pack_linear(rows, {}); });
}

std::unique_ptr<compute::PackedLinear> HeadReader::transposed_part(std::int64_t first,
                                                                   std::int64_t count) const {
    return packed(first, count,
                  [this](MatrixView<const float> rows) { return backend_.pack_transposed(rows); });
}

}  // namespace assay
