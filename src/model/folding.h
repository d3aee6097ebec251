// Scalings that a model can take up without changing what it computes: channels of linears' input divided
// where they are made, the linears' columns multiplied.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/model.h"

namespace assay {

// One input x of linears, and what its channels are made by. For any s > 0, W diag(s) on x / s is W x; and x
// / s is what the source gives when its rows (of a norm its weights, of a linear weight and bias) are
// divided:
//   norm -> every linear that reads its result: q, k and v; gate and up, those of all experts and the router;
//   v -> o: attention mixes positions, not channels; a row of v serves all query heads of its key/value head;
//   up -> down: the product of the activation with up is linear in up.
struct Fold {
    std::int64_t block = 0;
    // Of the block's program; of experts' inputs the slot that their rows are gathered from.
    int slot = 0;
    std::vector<std::size_t> readers;  // indexes into Model::items(), ascending; routers are among them
    std::string source;                // norm or linear, full name without ".weight"
    std::vector<std::int64_t>
        rows;              // [in]: the source's row behind each channel; channels of one row share s
    std::string obstacle;  // why nothing can take s up, and source and rows are empty; else empty
};

// The inputs of all linears of a block, in the order of its program.
std::vector<Fold> find_folds(const Model& model, std::int64_t block);

// The fold that an item of a block reads. Throws InvalidArgument where none of these does.
const Fold& fold_of(std::span<const Fold> folds, std::size_t item);

// s of each channel of a fold's input.
struct FoldedScales {
    Fold fold;
    std::vector<float> scales;  // [in]
};

// A model's weights with scalings folded into them; all else as its source has it. Each weight is rounded to
// f32 once, so scales that are powers of two change no bit of the model's results (with norms that add
// nothing to their weights). The model must outlive it.
class FoldedWeights final : public WeightSource {
  public:
    // Throws InvalidArgument, naming the linears, for a fold with an obstacle, a second scaling of a fold,
    // scales of another number, that are not positive and finite, or that differ within one row.
    FoldedWeights(const Model& model, std::span<const FoldedScales> folded);

    std::vector<StoredTensor> tensors() const override { return weights_.tensors(); }
    bool contains(std::string_view name) const override { return weights_.contains(name); }
    Shape shape(std::string_view name) const override { return weights_.shape(name); }
    std::string place(std::string_view name) const override { return weights_.place(name); }
    void read(std::string_view name, std::int64_t first_row, MatrixView<float> out) const override;
    void fetch(std::string_view name) const override { weights_.fetch(name); }
    void release(std::string_view name) const override { weights_.release(name); }

  private:
    struct Change {
        std::vector<float> columns;   // multiply; empty: 1
        std::vector<float> divisors;  // of rows; of a vector, of its elements; empty: 1
        float offset = 0;             // what the model adds to the stored numbers
    };
    void divide(const Model& model, const FoldedScales& folded);

    const WeightSource& weights_;
    std::map<std::string, Change, std::less<>> changes_;  // by tensor
};

}  // namespace assay
