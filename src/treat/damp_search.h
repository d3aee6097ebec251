// The damping of a linear's input statistics, chosen on windows that they were not learned from.
#pragma once

#include "measure/hessians.h"
#include "quantize/input_factor.h"
#include "records/treatment.h"
#include "treat/input_scales.h"

namespace assay {

// The dampings that a search tries, as shares of the mean of the diagonal.
// With the rounding that follows seven of each linear: measure/run_cost.h.
inline constexpr double kSearchedDamps[] = {0.003, 0.01, 0.03, 0.1, 0.3, 1};

// Does the treatment choose its damping (the option search-damp)?
bool searches_damping(const Treatment& treatment);

// The factor of all windows' statistics with the λ of kSearchedDamps with the least Σ tr(E H' Eᵀ), the first
// of equals: the sum over all linears that read the input, each rounded as the treatment says with
// H = `sums` - `held_out`, damped by λ; H' = `held_out`, damped by a ten-thousandth of its mean so that it
// has a factor. Where a half holds no position, or has no factor, the treatment's usual damping. Throws: as
// read_weight() and awq(); InvalidArgument for statistics without halves.
InputFactor search_damping(const Model& model, const Engine& engine, const Treatment& treatment,
                           const Hessian& hessian, const InputScales& scaling);

}  // namespace assay
