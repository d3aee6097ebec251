#include "analyze/model_patterns.h"

#include <map>
#include <string>
#include <vector>

#include "analyze/edge_blocks.h"
#include "analyze/patterns.h"
#include "measure/output_errors.h"
#include "treat/treatment_overlay.h"

namespace assay {
namespace {

using Values = std::map<std::string, std::optional<double>>;  // by linear

Values of_weights(const WeightsResult& weights, std::optional<double> (*value)(const WeightsLinear&)) {
    Values out;
    for (const WeightsLinear& l : weights.linears) out[l.name] = value(l);
    return out;
}

std::optional<double> kurtosis(const WeightsLinear& linear) {
    return linear.outliers ? linear.outliers->kurtosis : std::nullopt;
}

// The linears of blocks among the sensitivity's rows, in model order.
std::vector<std::size_t> rows_in_blocks(const Model& model, const SensitivityResult& sensitivity,
                                        std::map<std::string, const SensitivityLinear*>& rows) {
    for (const SensitivityLinear& l : sensitivity.linears) rows[l.name] = &l;
    std::vector<std::size_t> items;
    for (std::size_t i = 0; i < model.items().size(); ++i) {
        if (model.items()[i].role == LinearItem::Role::kBlock && rows.contains(model.items()[i].name))
            items.push_back(i);
    }
    return items;
}

}  // namespace

PatternsResult find_patterns(const Model& model, const Engine& engine,
                             std::span<const EvaluationWindow> windows, const Treatment& treatment,
                             const DiagnosedParts& parts, std::uint64_t seed) {
    PatternsResult out;
    const auto& linears = parts.sensitivity.linears;
    out.depth = depth_patterns(linears, model.config().layers, seed);
    out.projections = projection_patterns(linears, seed);
    out.advice = measure_edge_advice(model, engine, windows, treatment, seed);
    std::map<std::string, const SensitivityLinear*> rows;
    const auto items = rows_in_blocks(model, parts.sensitivity, rows);
    if (items.empty()) return out;

    const TreatmentOverlay overlay(treatment, [](const LinearItem&) { return true; });
    const std::vector<const WeightOverlay*> treatments{&overlay};
    const auto errors = output_errors(model, engine, windows, items, treatments);
    std::vector<std::string> names;
    std::vector<double> damages, output;
    Values output_error, propagated, ratio;
    for (std::size_t i = 0; i < items.size(); ++i) {
        names.push_back(model.items()[items[i]].name);
        const SensitivityLinear& row = *rows.at(names.back());
        damages.push_back(row.kl);
        output.push_back(errors[i][0]);
        output_error[names.back()] = output.back();
        if (!row.propagation.empty()) propagated[names.back()] = row.propagation.back();
    }
    for (const ActivationsLinear& l : parts.activations.linears) {
        if (l.input) ratio[l.name] = l.input->ratio;
    }
    out.factors = damage_factors(names, output, damages);
    const std::pair<const char*, Values> indicators[] = {
        {"weight_error", of_weights(parts.weights, [](const WeightsLinear& l) { return l.relative_error; })},
        {"range_ratio", of_weights(parts.weights, [](const WeightsLinear& l) { return l.range_ratio; })},
        {"kurtosis", of_weights(parts.weights, kurtosis)},
        {"activation_ratio", ratio},
        {"output_error", output_error},
        {"propagated_error", propagated}};
    for (const auto& [name, values] : indicators) {
        std::vector<std::optional<double>> list;
        for (const std::string& linear : names) {
            const auto found = values.find(linear);
            list.push_back(found != values.end() ? found->second : std::nullopt);
        }
        if (auto found = indicator(name, list, damages, seed)) out.indicators.push_back(std::move(*found));
    }
    return out;
}

}  // namespace assay
