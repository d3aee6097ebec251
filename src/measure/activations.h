// What goes into linears and comes out of them, streamed over windows of text.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "measure/tensor_activations.h"
#include "model/pass.h"

namespace assay {

struct Activations {
    // Indexes into `tensors`; linears that read the same values share their input.
    struct Sides {
        std::size_t input = 0, output = 0;
    };

    std::map<std::size_t, Sides> items;  // by index into Model::items()
    std::vector<TensorActivations> tensors;

    const TensorActivations& input(std::size_t item) const { return tensors[items.at(item).input]; }
    const TensorActivations& output(std::size_t item) const { return tensors[items.at(item).output]; }
};

// The given linears of blocks, each with its input x and its output x wᵀ + bias (no residual), over all
// positions of the windows; of an expert, over those routed to it. One forward pass, the reductions made by
// the backend; linears that share an input have it reduced once. Window by window in double: the same bits
// for any grouping and any number of threads. Finished groups are kept where the engine keeps parts.
// Throws: InvalidArgument for no windows and for an item outside the blocks, NumericError naming the linear
// at NaN or Inf, else as run_pass().
Activations measure_activations(const Model& model, const Engine& engine,
                                std::span<const EvaluationWindow> windows,
                                std::span<const std::size_t> items);

// Bytes that measuring these items holds beside the pass.
std::int64_t activation_bytes(const Model& model, std::span<const std::size_t> items);

// The `count` channels with the most energy, by channel; of equal ones the first.
std::vector<std::int64_t> most_energetic(std::span<const double> energies, std::int64_t count);

}  // namespace assay
