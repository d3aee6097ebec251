// How much each input channel of a linear carries.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "model/pass.h"

namespace assay {

// Σ x² of each input channel [in] over all positions of the windows (of an expert: over those routed to it),
// for the given linears of blocks; keys are indexes into Model::items(). One pass a group of windows; sums in
// double, window by window: the same bits for any grouping and any number of threads.
// Throws: InvalidArgument for no windows and for an item outside the blocks, else as run_pass().
std::map<std::size_t, std::vector<double>> input_energies(const Model& model, const Engine& engine,
                                                          std::span<const EvaluationWindow> windows,
                                                          std::span<const std::size_t> items);

// The `count` channels with the most energy, by channel; of equal ones the first.
std::vector<std::int64_t> most_energetic(std::span<const double> energies, std::int64_t count);

}  // namespace assay
