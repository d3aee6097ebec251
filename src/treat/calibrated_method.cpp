#include "treat/calibrated_method.h"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/error.h"
#include "quantize/gptq.h"
#include "quantize/kron.h"

namespace assay {
namespace {

bool is_set(const Treatment& treatment, std::string_view flag) {
    return option(treatment, flag) != 0;
}

// What a method made of one linear.
struct Rounded {
    EncodedWeight weight;
    double error = 0, rtn_error = 0;
    std::string fallback;
};

Rounded round(MatrixView<const float> w, const Treatment& treatment, const InputFactor& input,
              const FisherFactor* fisher, ThreadPool& pool) {
    const auto& format = std::get<IntFormat>(treatment.format);
    if (fisher == nullptr) {
        GptqResult result = gptq(
            w, format, input,
            {.static_groups = is_set(treatment, "static-groups"), .clip = is_set(treatment, "clip")}, pool);
        return {std::move(result.weight), result.error, result.rtn_error, std::move(result.fallback)};
    }
    const InputFactor output = factor_input(
        fisher->output,
        {.by_energy = is_set(treatment, "act-order"), .damp = option(treatment, "output-damp")}, pool);
    KronResult result = kron_round(w, format, {output, input}, is_set(treatment, "clip"), pool);
    return {std::move(result.weight), result.error, result.rtn_error, std::move(result.fallback)};
}

CalibratedLinear report_of(const LinearItem& item, const Treatment& treatment, const Hessian& hessian,
                           const InputFactor& factor, const Rounded& result) {
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
}

std::vector<SharedInput> inputs_for(const Treatment& treatment, std::vector<SharedInput> inputs,
                                    FisherSource& fisher) {
    if (!method_of(treatment).gradients) return inputs;
    std::vector<SharedInput> own;
    for (const SharedInput& input : inputs) {
        for (std::size_t i : input.items) {
            const PositionWeights& weights = fisher.of(i).weights;
            own.push_back({input.block, input.slot, {i}, weights.empty() ? nullptr : &weights});
        }
    }
    return own;
}

std::vector<CalibratedWeight> treat_linears(const Model& model, const Engine& engine,
                                            const Treatment& treatment, const Hessian& hessian,
                                            FisherSource& fisher) {
    expect_calibrated(treatment);
    InputFactor factor = factor_input(
        hessian.sums, {.by_energy = is_set(treatment, "act-order"), .damp = option(treatment, "damp")},
        engine.pool);
    if (hessian.positions == 0) factor.failure = "no position of the calibration windows reaches it";
    std::vector<CalibratedWeight> treated;
    for (std::size_t i : hessian.input.items) {
        const LinearItem& item = model.items()[i];
        const Matrix<float> w = read_weight(model.weights(), item.name);
        const FisherFactor* gradients = method_of(treatment).gradients ? &fisher.of(i) : nullptr;
        try {
            Rounded result = round(w.view(), treatment, factor, gradients, engine.pool);
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
