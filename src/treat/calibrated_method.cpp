#include "treat/calibrated_method.h"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/error.h"
#include "quantize/clipping.h"
#include "quantize/kron.h"
#include "treat/damp_search.h"

namespace assay {
namespace {

// What a method made of one linear.
struct Rounded {
    EncodedWeight weight;
    double error = 0, rtn_error = 0;
    std::string fallback;
};

Rounded by_inputs(MatrixView<const float> w, const Treatment& treatment, const InputFactor& input,
                  const InputScales& scaling, ThreadPool& pool) {
    GptqResult result = awq(w, input, scaling.scales, awq_rounding(treatment), pool);
    return {std::move(result.weight), result.error, result.rtn_error, std::move(result.fallback)};
}

Rounded by_gradients(MatrixView<const float> w, const Treatment& treatment, const InputFactor& input,
                     const FisherFactor& fisher, const InputScales& scaling, ThreadPool& pool) {
    FactorOptions options = factor_options(treatment);
    options.damp = option(treatment, "output-damp");
    const InputFactor output = factor_input(fisher.output, options, pool);
    KronResult result = kron_round(w, std::get<IntFormat>(treatment.format), {output, input},
                                   {option(treatment, "clip") != 0, scaling.scales}, pool);
    return {std::move(result.weight), result.error, result.rtn_error, std::move(result.fallback)};
}

CalibratedLinear report_of(const LinearItem& item, const Treatment& treatment, const Hessian& hessian,
                           const InputFactor& factor, const Rounded& result, const InputScales& scaling) {
    CalibratedLinear report{.name = item.name,
                            .treatment = to_string(treatment),
                            .positions = hessian.positions,
                            .damping = factor.damping,
                            .damping_raised = factor.raised,
                            .dead_columns = factor.dead,
                            .error_ratio = std::nullopt,
                            .fallback = std::nullopt,
                            .alpha = scaling.alpha,
                            .unscaled = std::nullopt};
    if (!scaling.obstacle.empty()) report.unscaled = scaling.obstacle;
    if (factor.failure.empty() && result.rtn_error > 0) report.error_ratio = result.error / result.rtn_error;
    if (!result.fallback.empty()) report.fallback = result.fallback;
    return report;
}

void note_unscaled(const Model& model, const Engine& engine, std::span<const Hessian* const> hessians,
                   const InputScales& scaling) {
    if (scaling.obstacle.empty()) return;
    std::string names;
    for (const Hessian* h : hessians) {
        for (std::size_t i : h->input.items) names += (names.empty() ? "" : ", ") + model.items()[i].name;
    }
    engine.progress.note(fmt::format("{}: input not scaled: {}", names, scaling.obstacle));
}

}  // namespace

void expect_calibrated(const Treatment& treatment) {
    if (!looks_at_inputs(treatment))
        throw InvalidArgument(to_string(treatment) + ": its method looks at no inputs");
    if (!std::holds_alternative<IntFormat>(treatment.format)) {
        throw InvalidArgument(fmt::format("{}: {} chooses codes of integer formats only, such as int4-g128",
                                          to_string(treatment), treatment.method));
    }
    if (treatment.activations)
        throw InvalidArgument(to_string(treatment) + ": its inputs are calibrated, not its codes");
    if (treatment.options.contains("fold") && !scales_inputs(treatment))
        throw InvalidArgument(to_string(treatment) + ": the option fold goes with awq");
    if (scales_inputs(treatment) && option(treatment, "fold") != 0 && !clips_by_row(treatment.format)) {
        throw InvalidArgument(
            fmt::format("{}: its scales serve several rows, and folding divides some of them; expected "
                        "groups or channels, "
                        "such as int4-g128, or the option fold=no",
                        to_string(treatment)));
    }
}

std::vector<SharedInput> inputs_for(const Treatment& treatment, std::vector<SharedInput> inputs,
                                    FisherSource& fisher) {
    for (SharedInput& input : inputs) input.halves = searches_damping(treatment);
    if (!uses_gradients(treatment)) return inputs;
    std::vector<SharedInput> own;
    for (const SharedInput& input : inputs) {
        for (std::size_t i : input.items) {
            const PositionWeights& weights = fisher.of(i).weights;
            own.push_back(input);
            own.back().items = {i};
            if (!weights.empty()) own.back().weights = &weights;
        }
    }
    return own;
}

std::vector<CalibratedWeight> treat_linears(const Model& model, const Engine& engine,
                                            const Treatment& treatment, const Hessian& hessian,
                                            FisherSource& fisher, const InputScales& scaling) {
    expect_calibrated(treatment);
    InputFactor factor = searches_damping(treatment)
                             ? search_damping(model, engine, treatment, hessian, scaling)
                             : factor_input(hessian.sums, factor_options(treatment), engine.pool);
    if (hessian.positions == 0) factor.failure = "no position of the calibration windows reaches it";
    std::vector<CalibratedWeight> treated;
    for (std::size_t i : hessian.input.items) {
        const LinearItem& item = model.items()[i];
        const Matrix<float> w = read_weight(model.weights(), item.name);
        const FisherFactor* gradients = method_of(treatment).gradients ? &fisher.of(i) : nullptr;
        try {
            Rounded result = gradients != nullptr
                                 ? by_gradients(w.view(), treatment, factor, *gradients, scaling, engine.pool)
                                 : by_inputs(w.view(), treatment, factor, scaling, engine.pool);
            CalibratedLinear report = report_of(item, treatment, hessian, factor, result, scaling);
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

std::vector<CalibratedWeight> treat_together(const Model& model, const Engine& engine,
                                             const Treatment& treatment, std::span<const Hessian> hessians,
                                             FisherSource& fisher) {
    std::vector<SharedInput> inputs;
    for (const Hessian& hessian : hessians) inputs.push_back(hessian.input);
    std::vector<CalibratedWeight> treated;
    for (const auto& group : searched_together(model, treatment, inputs)) {
        InputScales scaling;
        if (scales_inputs(treatment)) {
            std::vector<const Hessian*> own;
            for (std::size_t i : group) own.push_back(&hessians[i]);
            scaling = find_scales(model, engine, treatment, own);
            note_unscaled(model, engine, own, scaling);
        }
        for (std::size_t i : group) {
            for (CalibratedWeight& weight :
                 treat_linears(model, engine, treatment, hessians[i], fisher, scaling))
                treated.push_back(std::move(weight));
            engine.cancel.check();
        }
    }
    return treated;
}

}  // namespace assay
