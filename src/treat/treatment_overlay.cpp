#include "treat/treatment_overlay.h"

#include <string_view>
#include <utility>

#include "base/error.h"
#include "quantize/interventions.h"
#include "quantize/rtn.h"

namespace assay {
namespace {

using WeightMethod = void (*)(MatrixView<float> w, const NumberFormat& format, ThreadPool& pool);

struct WeightMethodRow {
    std::string_view name;
    WeightMethod apply;
};

constexpr WeightMethodRow kWeightMethods[] = {
    {"rtn",
     [](MatrixView<float> w, const NumberFormat& format, ThreadPool& pool) { rtn(w, format, w, pool); }},
    {"clip", round_clipped},
};

// The methods that look at nothing but the weights.
WeightMethod weight_method(const Treatment& treatment) {
    for (const WeightMethodRow& row : kWeightMethods) {
        if (row.name == treatment.method) return row.apply;
    }
    throw InvalidArgument(
        "method " + std::string(method_of(treatment).name) +
        " looks at the linears' inputs: it needs calibration windows, which this measurement "
        "does not take");
}

}  // namespace

void apply_treatment(const Treatment& treatment, const LinearItem& item, MatrixView<float> w,
                     ThreadPool& pool) {
    const auto apply = weight_method(treatment);
    try {
        apply(w, treatment.format, pool);
    } catch (const NumericError& e) {
        throw NumericError(item.name + ": " + e.what());
    }
}

TreatmentOverlay::TreatmentOverlay(Treatment treatment, Choice choice)
    : treatment_(std::move(treatment)), choice_(std::move(choice)) {
    weight_method(treatment_);
}

void TreatmentOverlay::apply(const LinearItem& item, MatrixView<float> w) const {
    ThreadPool own_thread(1);  // passes load several linears at once, each on its own thread
    apply_treatment(treatment_, item, w, own_thread);
}

bool TreatmentOverlay::row_wise() const {
    return !method_of(treatment_).calibrated && rows_are_independent(treatment_.format);
}

}  // namespace assay
