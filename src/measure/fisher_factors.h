// What an error of a linear's output costs the whole model: factors of its Fisher information.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compute/symmetric_matrix.h"
#include "measure/hessians.h"
#include "model/pass.h"

namespace assay {

// Of a linear with inputs x_t and gradients g_t = ∂L/∂y_t of its outputs.
struct FisherFactor {
    std::size_t item = 0;             // index into Model::items()
    compute::SymmetricMatrix output;  // H_O = Σ_t g_t g_tᵀ / ‖g_t‖  [out, out]; where asked for
    PositionWeights weights;          // ‖g_t‖ of each position; none of experts, which get some only
};

enum class FisherParts { kAll, kWeights };  // what is asked for: H_O and the weights, or the weights alone

// For each window labels are drawn from the model's own predictions, L = Σ_t ln p(label_t) over the scored
// positions; over the labels, E[(Σ_t g_tᵀ E x_t)²] is the window's Fisher information in an error E of the
// weight. With positions apart that is Σ_t (g_tᵀ E x_t)², about tr(H_O E H_I Eᵀ) with H_I of the inputs.
// Reverse passes over as many windows as the engine's state_bytes allow; the memory is that of the factors
// of all `items` (linears of blocks). The same bits for any grouping of windows and number of threads.
// Throws InvalidArgument for no windows or items and for items outside the blocks; else as
// run_reverse_pass(). Source: Tseng, Sun & De Sa 2025, "Model-preserving adaptive rounding", sketch A.
std::vector<FisherFactor> measure_fisher_factors(const Model& model, const Engine& engine,
                                                 std::span<const EvaluationWindow> windows,
                                                 std::span<const std::size_t> items, std::uint64_t seed,
                                                 FisherParts parts = FisherParts::kAll);

}  // namespace assay
