// What a text's inputs of linears span: statistics of a calibration set.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "measure/hessians.h"

namespace assay {

struct InputSpan {
    SharedInput input;
    std::int64_t positions = 0;
    // n² / Σ_ij c_ij² over the n channels with energy, c_ij = H_ij / √(H_ii H_jj): n where the channels have
    // nothing to do with each other, 1 where they are all one; at most min(n, positions). 0 without energy.
    double effective_rank = 0;
    std::vector<double> energy;  // H_cc / Σ H_cc of each channel
};

// Of the model's own run on the windows; one block's statistics in memory at a time. In the order of
// shared_inputs(). Throws InvalidArgument for no windows or items; else as run_pass().
std::vector<InputSpan> measure_input_spans(const Model& model, const Engine& engine,
                                           std::span<const EvaluationWindow> windows,
                                           std::span<const std::size_t> items);

double effective_rank(const compute::SymmetricMatrix& h);

}  // namespace assay
