// The scales that a treatment gives linears' inputs, searched with what the model can fold.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "measure/hessians.h"
#include "model/folding.h"
#include "quantize/awq.h"
#include "records/treatment.h"

namespace assay {

// Does the treatment's method scale inputs: awq, and gptq or yaqa with the option awq?
bool scales_inputs(const Treatment& treatment);

// What the treatment's options, those that its method has, say to quantize/.
FactorOptions factor_options(const Treatment& treatment);
// Of clip too: without scales the rounding of awq is to nearest, clipped by the inputs' energy.
AwqRounding awq_rounding(const Treatment& treatment);

// Of one input, or of several that one scaling serves.
struct InputScales {
    std::vector<float> scales;    // of each channel; empty: 1
    std::optional<double> alpha;  // where they were searched
    std::string obstacle;         // why they were not; empty where they were
};

// Inputs of one block, in their order, by what must be searched together: those of one fold where the
// treatment scales inputs and folds the scales, such as the inputs of a layer's experts; else each by itself.
std::vector<std::vector<std::size_t>> searched_together(const Model& model, const Treatment& treatment,
                                                        std::span<const SharedInput> inputs);

// Of the candidates of awq_candidates() the one with the least Σ awq_errors() over all linears of these
// inputs, the first of equals; all inputs are of one fold, or the treatment does not fold. None where the
// input cannot fold and must (the option fold), where statistics cannot be used, and where no position
// reaches any of them. Throws: as read_weight() and awq_errors().
InputScales find_scales(const Model& model, const Engine& engine, const Treatment& treatment,
                        std::span<const Hessian* const> hessians);

}  // namespace assay
