// Calibrated methods, applied: from a linear's weight and the statistics of its input to its codes.
#pragma once

#include <span>
#include <vector>

#include "measure/hessians.h"
#include "model/pass.h"
#include "quantize/encoded_weight.h"
#include "records/calibrated_linear.h"
#include "records/treatment.h"
#include "treat/fisher_source.h"
#include "treat/input_scales.h"

namespace assay {

struct CalibratedWeight {
    EncodedWeight weight;
    CalibratedLinear report;
};

// Throws InvalidArgument for a treatment whose method looks at no inputs, or whose format it cannot choose
// codes of.
void expect_calibrated(const Treatment& treatment);

// The inputs as a treatment needs their statistics: each linear's own, its positions weighed by `fisher`,
// where it looks at gradients, else as they are; in halves where it searches for its damping.
std::vector<SharedInput> inputs_for(const Treatment& treatment, std::vector<SharedInput> inputs,
                                    FisherSource& fisher);

// The linears of one input, in their order, each treated from the model's own weights, with the scales that
// its input was given. Notes on the engine's progress every linear that had to be rounded to nearest instead,
// with the reason.
// Throws NumericError, naming the item, for weights that cannot be rounded; else as expect_calibrated().
std::vector<CalibratedWeight> treat_linears(const Model& model, const Engine& engine,
                                            const Treatment& treatment, const Hessian& hessian,
                                            FisherSource& fisher, const InputScales& scaling = {});

// The linears of some inputs of one block. Where the treatment scales inputs, each one's scales are found
// first (those of a fold together: all of its inputs that are treated must be here), and every input that
// could not be scaled is noted with the reason. Throws as treat_linears().
std::vector<CalibratedWeight> treat_together(const Model& model, const Engine& engine,
                                             const Treatment& treatment, std::span<const Hessian> hessians,
                                             FisherSource& fisher);

}  // namespace assay
