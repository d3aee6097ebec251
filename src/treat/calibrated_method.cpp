#include "treat/calibrated_method.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>
#include <variant>

#include "base/error.h"
#include "quantize/gptq.h"

namespace assay {
namespace {

bool is_set(const Treatment& treatment, std::string_view flag) {
    return option(treatment, flag) != 0;
}

CalibratedLinear report_of(const LinearItem& item, const Treatment& treatment, const Hessian& hessian,
                           const InputFactor& factor, const GptqResult& result) {
    CalibratedLinear report{.name = item.name,
                            .treatment = to_string(treatment),
                            .positions = hessian.positions,
                            .damping = factor.damping,
                            .damping_raised = factor.raised,
                            .dead_columns = factor.dead,
                            .error_ratio = std::nullopt,
                            .fallback = std::nullopt};
    if (factor.failure.empty() && result.rtn_error > 0) report.error_ratio = result.error / result.rtn_error;
    if (!result.fallback.empty()) report.fallback = result.fallback;
    return report;
}

}  // namespace

void expect_calibrated(const Treatment& treatment) {
    if (!method_of(treatment).calibrated)
        throw InvalidArgument(to_string(treatment) + ": its method looks at no inputs");
    if (!std::holds_alternative<IntFormat>(treatment.format)) {
        throw InvalidArgument(fmt::format("{}: {} chooses codes of integer formats only, such as int4-g128",
                                          to_string(treatment), treatment.method));
    }
    if (treatment.activations)
        throw InvalidArgument(to_string(treatment) + ": its inputs are calibrated, not its codes");
}

std::vector<CalibratedWeight> treat_linears(const Model& model, const Engine& engine,
                                            const Treatment& treatment, const Hessian& hessian) {
    expect_calibrated(treatment);
    const auto& format = std::get<IntFormat>(treatment.format);
    InputFactor factor = factor_input(
        hessian.sums, {.by_energy = is_set(treatment, "act-order"), .damp = option(treatment, "damp")},
        engine.pool);
    if (hessian.positions == 0) factor.failure = "no position of the calibration windows reaches it";
    const GptqOptions options{.static_groups = is_set(treatment, "static-groups"),
                              .clip = is_set(treatment, "clip")};
    std::vector<CalibratedWeight> treated;
    for (std::size_t i : hessian.input.items) {
        const LinearItem& item = model.items()[i];
        const Matrix<float> w = read_weight(model.weights(), item.name);
        try {
            GptqResult result = gptq(w.view(), format, factor, options, engine.pool);
            CalibratedLinear report = report_of(item, treatment, hessian, factor, result);
            if (report.fallback) {
                engine.progress.note(fmt::format("{}: rounded to nearest instead of {}: {}", item.name,
                                                 treatment.method, *report.fallback));
            }
            treated.push_back({std::move(result.weight), std::move(report)});
        } catch (const NumericError& e) {
            throw NumericError(item.name + ": " + e.what());
        }
    }
    return treated;
}

}  // namespace assay
