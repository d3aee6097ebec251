#include "treat/treated_rows.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>

#include "quantize/clipping.h"
#include "treat/treatment_overlay.h"

namespace assay {
namespace {

constexpr std::int64_t kReleaseWeights = std::int64_t{1} << 26;  // pages of so many are kept at most

}  // namespace

RowSource weight_rows(const Model& model, const LinearItem& item) {
    const auto unreleased = std::make_shared<std::atomic<std::int64_t>>(0);
    return {item.out, item.in,
            [&weights = model.weights(), name = item.name + ".weight", unreleased](std::int64_t first,
                                                                                   MatrixView<float> out) {
                weights.read(name, first, out);
                const std::int64_t read = out.rows() * out.cols();
                if (unreleased->fetch_add(read) + read < kReleaseWeights) return;
                unreleased->store(0);
                weights.release(name);  // what another thread is reading comes back
            }};
}

bool treats_row_by_row(const Treatment& treatment) {
    return TreatmentOverlay(treatment, [](const LinearItem&) { return true; }).row_wise();
}

TreatedSums::TreatedSums(const LinearItem& item, const Treatment& treatment, bool with_map)
    : item_(&item), treatment_(treatment) {
    if (treatment.method == "rtn" && clips_by_row(treatment.format))
        rounded_.emplace(std::get<IntFormat>(treatment.format), item.in);
    if (with_map) map_.emplace(treatment.format, item.out, item.in);
}

void TreatedSums::compare(MatrixView<const float> w, MatrixView<const float> treated,
                          std::int64_t first_row) {
    for (std::int64_t r = 0; r < w.rows() && !rounded_; ++r) compared_.add_row(w.row(r), treated.row(r));
    if (map_) map_->add(w, treated, first_row);
}

void TreatedSums::add(const RowPanel& panel) {
    if (rounded_) rounded_->add(panel);
    if (rounded_ && !map_) return;
    if (treated_.rows() != panel.w.rows()) treated_ = Matrix<float>(panel.w.rows(), panel.w.cols());
    for (std::int64_t r = 0; r < panel.w.rows(); ++r)
        std::copy(panel.w.row(r).begin(), panel.w.row(r).end(), treated_.row(r).begin());
    ThreadPool own_thread(1);  // this is a task already
    apply_treatment(treatment_, *item_, treated_.view(), own_thread);
    compare(panel.w, treated_.view(), panel.first_row);
}

void TreatedSums::merge(const TreatedSums& other) {
    if (rounded_) rounded_->merge(*other.rounded_);
    compared_.merge(other.compared_);
    if (map_) map_->merge(*other.map_);
}

ReconstructionError TreatedSums::error(double weight_squares) const {
    return rounded_ ? rounded_->error(weight_squares) : error_of(compared_);
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
