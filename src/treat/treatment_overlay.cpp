#include "treat/treatment_overlay.h"

#include <string_view>
#include <utility>

#include "base/error.h"
#include "quantize/coded_weight.h"
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
        if (row.name == treatment.method && !is_calibrated(treatment)) return row.apply;
    }
    throw InvalidArgument(
        to_string(treatment) +
        " looks at the linears' inputs: it needs calibration windows, which this measurement "
        "does not take");
}

}  // namespace

compute::RoundedLinear round_linear(const Treatment& treatment, const LinearItem& item,
                                    MatrixView<const float> w, ThreadPool& pool) {
    if (!treatment.activations) throw InvalidArgument(to_string(treatment) + " leaves inputs as they are");
    check_activations(treatment.format, *treatment.activations);
    try {
        CodedWeight coded = code_rows(w, treatment.format, pool);
        const bool int8 = treatment.activations->element == ActivationFormat::Element::kInt8;
        return {.codes = std::move(coded.codes),
                .scales = std::move(coded.scales),
                .input = {.element = int8 ? compute::InputElement::kInt8 : compute::InputElement::kE4m3}};
    } catch (const NumericError& e) {
        throw NumericError(item.name + ": " + e.what());
    }
}

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

bool TreatmentOverlay::treats(const LinearItem& item) const {
    return choice_(item) && (!rounds_inputs() || item.block >= 0);
}

compute::RoundedLinear TreatmentOverlay::rounded(const LinearItem& item, MatrixView<const float> w) const {
    ThreadPool own_thread(1);
    return round_linear(treatment_, item, w, own_thread);
}

void TreatmentOverlay::apply(const LinearItem& item, MatrixView<float> w) const {
    if (rounds_inputs()) return WeightOverlay::apply(item, w);
    ThreadPool own_thread(1);  // passes load several linears at once, each on its own thread
    apply_treatment(treatment_, item, w, own_thread);
}

bool TreatmentOverlay::row_wise() const {
    return !rounds_inputs() && rows_are_independent(treatment_.format);
}

}  // namespace assay
