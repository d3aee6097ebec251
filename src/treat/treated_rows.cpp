#include "treat/treated_rows.h"

#include <algorithm>
#include <bit>
#include <cstdint>

#include "treat/treatment_overlay.h"

namespace assay {
namespace {

// A loop that becomes vector operations; the slow search for the place is left to read_weight_rows().
bool all_finite(MatrixView<const float> w) {
    constexpr std::uint32_t kExponent = 0x7f800000u;  // all ones: Inf or NaN
    std::uint32_t bad = 0;
    for (std::int64_t r = 0; r < w.rows(); ++r) {
        for (float x : w.row(r))
            bad |= static_cast<std::uint32_t>((std::bit_cast<std::uint32_t>(x) & kExponent) == kExponent);
    }
    return bad == 0;
}

}  // namespace

RowSource weight_rows(const Model& model, const LinearItem& item) {
    const WeightSource& weights = model.weights();
    return {item.out, item.in,
            [&weights, name = item.name, full = item.name + ".weight"](std::int64_t first,
                                                                      MatrixView<float> out) {
                weights.read(full, first, out);
                if (!all_finite(out)) read_weight_rows(weights, name, first, out.rows());  // throws
            }};
}

bool treats_row_by_row(const Treatment& treatment) {
    return TreatmentOverlay(treatment, [](const LinearItem&) { return true; }).row_wise();
}

TreatedSums::TreatedSums(const LinearItem& item, const Treatment& treatment, bool with_map)
    : item_(&item), treatment_(treatment) {
    if (with_map) map_.emplace(treatment.format, item.out, item.in);
}

void TreatedSums::compare(MatrixView<const float> w, MatrixView<const float> treated,
                          std::int64_t first_row) {
    for (std::int64_t r = 0; r < w.rows(); ++r) errors_.add_row(w.row(r), treated.row(r));
    if (map_) map_->add(w, treated, first_row);
}

void TreatedSums::add(const RowPanel& panel) {
    if (treated_.rows() != panel.w.rows()) treated_ = Matrix<float>(panel.w.rows(), panel.w.cols());
    for (std::int64_t r = 0; r < panel.w.rows(); ++r)
        std::copy(panel.w.row(r).begin(), panel.w.row(r).end(), treated_.row(r).begin());
    ThreadPool own_thread(1);  // this is a task already
    apply_treatment(treatment_, *item_, treated_.view(), own_thread);
    compare(panel.w, treated_.view(), panel.first_row);
}

void TreatedSums::merge(const TreatedSums& other) {
    errors_.merge(other.errors_);
    if (map_) map_->merge(*other.map_);
}

std::optional<ErrorMap> TreatedSums::map() const {
    return map_ ? std::optional(map_->map()) : std::nullopt;
}

TreatedSums treat_whole(const Model& model, const LinearItem& item, const Treatment& treatment, bool with_map,
                        ThreadPool& pool) {
    const Matrix<float> w = read_weight(model.weights(), item.name);
    Matrix<float> treated = w;
    apply_treatment(treatment, item, treated.view(), pool);
    TreatedSums sums(item, treatment, with_map);
    sums.compare(w.view(), treated.view(), 0);
    return sums;
}

}  // namespace assay
