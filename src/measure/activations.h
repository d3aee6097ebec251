// What goes into linears and comes out of them, streamed over windows of text.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "measure/run_cost.h"
#include "measure/tensor_activations.h"
#include "model/pass.h"

namespace assay {

// What of an item is looked at.
enum class ActivationSides { kBoth, kInputs };

struct Activations {
    // Indexes into `tensors`; linears that read the same values share their input.
    struct Sides {
        std::optional<std::size_t> input;      // none of an embedding that is no output layer
        std::optional<std::size_t> output;     // of ActivationSides::kInputs none, as the next
        std::optional<std::size_t> embedding;  // of one that is: what it gives as the embedding
    };

    std::map<std::size_t, Sides> items;  // by index into Model::items()
    std::vector<TensorActivations> tensors;

    // Whether the item is among those measured and has an input.
    bool has_input(std::size_t item) const {
        const auto found = items.find(item);
        return found != items.end() && found->second.input.has_value();
    }
    const TensorActivations& input(std::size_t item) const { return tensors[items.at(item).input.value()]; }
    const TensorActivations& output(std::size_t item) const { return tensors[items.at(item).output.value()]; }
};

// The given items, each with its input x and its output x wᵀ + bias (no residual), over all positions of the
// windows; of an expert, over those routed to it. The output layer's are what the last norm gives and the
// logits before any softcap, the embedding's output is the residual stream before the first block. One
// forward pass, the reductions made by the backend; linears that share an input have it reduced once; logits
// exist for one slice of the vocabulary only. Window by window in double: the same bits for any grouping and
// any number of threads. Finished groups are kept where the engine keeps parts.
// Throws: InvalidArgument for no windows, NumericError naming the linear at NaN or Inf, else as run_pass().
Activations measure_activations(const Model& model, const Engine& engine,
                                std::span<const EvaluationWindow> windows, std::span<const std::size_t> items,
                                ActivationSides sides = ActivationSides::kBoth);

// The pass that measures these items, as run_cost.h predicts it.
Workload activations_workload(const Model& model, const compute::Backend& backend,
                              std::span<const EvaluationWindow> windows, std::span<const std::size_t> items,
                              ActivationSides sides = ActivationSides::kBoth);

// The `count` channels with the most energy, by channel; of equal ones the first.
std::vector<std::int64_t> most_energetic(std::span<const double> energies, std::int64_t count);

}  // namespace assay
