#include "treat/damp_search.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "quantize/awq.h"

namespace assay {
namespace {

constexpr double kHeldOutDamp = 1e-4;

// a - b, of sums that b's are part of.
compute::SymmetricMatrix difference(const compute::SymmetricMatrix& a, const compute::SymmetricMatrix& b) {
    compute::SymmetricMatrix out = a;
    for (std::int64_t r = 0; r < a.size(); ++r) {
        for (std::int64_t c = 0; c <= r; ++c) out(r, c) -= b(r, c);
    }
    return out;
}

bool has_energy(const InputFactor& factor) {
    return factor.failure.empty() &&
           std::any_of(factor.energy.begin(), factor.energy.end(), [](double e) { return e > 0; });
}

// Σ tr(E H' Eᵀ) of all linears that read the input.
double held_out_error(std::span<const Matrix<float>> weights, const Treatment& treatment,
                      const InputFactor& learned, const InputScales& scaling, const InputFactor& held_out,
                      ThreadPool& pool) {
    double error = 0;
    for (const Matrix<float>& w : weights) {
        const GptqResult result = awq(w.view(), learned, scaling.scales, awq_rounding(treatment), pool);
        Matrix<float> dequantized(w.rows(), w.cols());
        decode(result.weight, dequantized.view(), pool);
        error += weighted_error(held_out, w.view(), dequantized.view(), pool);
    }
    return error;
}

}  // namespace

bool searches_damping(const Treatment& treatment) {
    return is_set(treatment, "search-damp");
}

InputFactor search_damping(const Model& model, const Engine& engine, const Treatment& treatment,
                           const Hessian& hessian, const InputScales& scaling) {
    if (!hessian.input.halves)
        throw InvalidArgument(to_string(treatment) + ": its damping is chosen from statistics in halves");
    FactorOptions options = factor_options(treatment);
    const InputFactor held_out = factor_input(hessian.held_out, {.damp = kHeldOutDamp}, engine.pool);
    const compute::SymmetricMatrix learned = difference(hessian.sums, hessian.held_out);
    std::vector<Matrix<float>> weights;
    for (std::size_t i : hessian.input.items)
        weights.push_back(read_weight(model.weights(), model.items()[i].name));
    std::array<double, std::size(kSearchedDamps)> errors{};
    for (std::size_t d = 0; d < errors.size(); ++d) {
        FactorOptions tried = options;
        tried.damp = kSearchedDamps[d];
        const InputFactor factor = factor_input(learned, tried, engine.pool);
        if (!has_energy(factor) || !has_energy(held_out))
            return factor_input(hessian.sums, options, engine.pool);
        errors[d] = held_out_error(weights, treatment, factor, scaling, held_out, engine.pool);
        engine.cancel.check();
    }
    const auto best = std::min_element(errors.begin(), errors.end()) - errors.begin();
    options.damp = kSearchedDamps[best];
    return factor_input(hessian.sums, options, engine.pool);
}

}  // namespace assay
