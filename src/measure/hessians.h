// The second moments of linears' inputs, H = Σ x xᵀ: what calibrated methods minimise their output error
// with.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compute/symmetric_matrix.h"
#include "model/pass.h"

namespace assay {

// Weights of positions: [window][position], windows in the order in which they come.
using PositionWeights = std::vector<std::vector<double>>;

// Linears that read one input: q, k and v; gate and up; of an expert its gate and up, over the rows that were
// routed to it.
struct SharedInput {
    std::int64_t block = 0;
    int slot = 0;                    // of the block's program
    std::vector<std::size_t> items;  // indexes into Model::items()
    // Of its positions: null for 1; not for experts' inputs. They must outlive what uses them.
    const PositionWeights* weights = nullptr;
    // Also the sums of every second window alone, for what is chosen on windows that it did not learn from.
    bool halves = false;
};

// The inputs of these linears of blocks, in the order of the blocks and their programs, as are the items of
// each. Throws InvalidArgument for an item outside the blocks.
std::vector<SharedInput> shared_inputs(const Model& model, std::span<const std::size_t> items);

// Of one input.
struct Hessian {
    SharedInput input;
    compute::SymmetricMatrix sums;  // Σ w_t x_t x_tᵀ  [in, in], w_t = 1 where nothing else is asked for
    std::int64_t positions = 0;     // how many x there were
    // The part of `sums` that is of every second window, the second one first; of no channels without halves.
    compute::SymmetricMatrix held_out{0};
};

// Adds up the inputs that it is shown: as a tap of a pass, or by a BlockWalk through add(). Holds the
// Hessians of these inputs only (SymmetricMatrix::bytes each, twice that of halves), so that few blocks at a
// time need memory. Products are in f32 with sums in double beyond short chains: the same bits for any
// grouping of windows and number of threads.
class HessianTap final : public Tap {
  public:
    // Throws InvalidArgument where experts' inputs are weighed, and add() where weights do not fit a window.
    HessianTap(const Model& model, compute::Backend& backend, std::vector<SharedInput> inputs);

    void add(const LinearItem& item, const compute::Batch& rows, const compute::Tensor& input);
    void linear(const LinearItem& item, const compute::Batch& rows, const compute::Tensor& input,
                const compute::Tensor&) override {
        add(item, rows, input);
    }
    void block(std::int64_t, const TokenChunk&, const compute::Tensor&) override {}

    // In the order of the inputs; empties the tap.
    std::vector<Hessian> take();

  private:
    struct Entry {
        Hessian hessian;
        std::size_t first_item = 0;  // the one whose input is taken: the others' is the same
        std::size_t windows = 0;     // seen
    };
    std::vector<double> weights_of(const Entry& entry, const compute::Batch& rows) const;

    const Model& model_;
    compute::Backend& backend_;
    std::vector<Entry> entries_;
};

// Hessians of the model's own run on the windows, of all these items at once. One pass a group of windows.
// Throws InvalidArgument for no windows, else as run_pass() and HessianTap.
std::vector<Hessian> measure_hessians(const Model& model, const Engine& engine,
                                      std::span<const EvaluationWindow> windows,
                                      std::span<const std::size_t> items,
                                      const PositionWeights* weights = nullptr);

}  // namespace assay
