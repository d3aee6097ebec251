// The inputs of linears, what their source can take up, and how large their channels become on calibration
// windows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/folding.h"
#include "model/pass.h"

namespace assay {

struct FoldedInput {
    Fold fold;
    std::size_t witness = 0;           // a reader that sees all rows
    std::vector<std::size_t> linears;  // readers but routers: indexes into Model::items()
};

// The inputs of these linears of blocks, in the order of the blocks and their programs. Throws
// InvalidArgument for an item outside the blocks.
std::vector<FoldedInput> folded_inputs(const Model& model, std::span<const std::size_t> items);

// max over the linears that read it and their rows of |w_c|, by channel. Throws as read_weight().
std::vector<float> weight_ranges(const Model& model, const FoldedInput& input);

// Of one input.
struct InputRange {
    std::vector<float> channel_max;  // [in]: max |x_c|
    std::int64_t positions = 0;
};

// On these windows, by input. Throws as measure_activations().
std::vector<InputRange> input_ranges(const Model& model, const Engine& engine,
                                     std::span<const EvaluationWindow> windows,
                                     std::span<const FoldedInput> inputs);

// Each channel's value becomes the largest of those that share its row of the source.
void share_rows(const Fold& fold, std::vector<float>& values);

}  // namespace assay
