// A whole model treated block after block: each block on inputs that the treated blocks before it made.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "treat/encoded_folder.h"

namespace assay {

struct SequentialOptions {
    Treatment treatment;             // of a calibrated method
    std::vector<std::size_t> items;  // indexes into Model::items(), linears of blocks
    // Where finished blocks are kept, for a run that goes on from there; empty: nowhere.
    std::filesystem::path folder;
    std::uint64_t seed = 0;  // of the labels that methods with gradients draw; one folder, one seed
};

// For each block: statistics of its linears' inputs on the calibration windows, the block as it is; its
// linears treated; the windows moved on through the treated block. With the treatment's option
// true-sequential the block's linears come one input after the other, each on inputs that the treated ones
// before it made. One block in memory, its statistics in parts that fit the engine's head_bytes (a part is at
// least one input's, or those of a fold that is scaled: input_scales.h), the windows' states in a file where
// they take more than its state_bytes; finished blocks are in files. The same bits for any limits and number
// of threads, and for a run that was interrupted and began again. Throws InvalidArgument for no windows or
// items and for items outside the blocks; else as run_pass() and treat_linears().
std::unique_ptr<EncodedFolder> treat_sequentially(const Model& model, const Engine& engine,
                                                  std::span<const EvaluationWindow> calibration,
                                                  const SequentialOptions& options);

}  // namespace assay
