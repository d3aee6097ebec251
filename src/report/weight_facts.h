// What the weights' records say, as tables of texts: for the terminal and the page.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "records/weights.h"
#include "report/blame_facts.h"

namespace assay {

// The linears with outlier details by how far their outliers stretch the range, the worst first; at most
// `most`.
std::vector<const WeightsLinear*> by_range_ratio(const WeightsResult& result, std::size_t most);

// What is in their tails: kurtosis, counts, the rows and input channels that hold most.
TextRows outlier_rows(const std::vector<const WeightsLinear*>& linears);

// The model in every format of the sweep: by bits, then symmetry, then group size. No rows without a sweep.
TextRows group_sweep_rows(const WeightsResult& result);

// The model in every clip, and for how many linears each is the best.
TextRows clip_sweep_rows(const WeightsResult& result);

// Sentences on the sweeps: ragged groups, what the best clip gains.
std::vector<std::string> sweep_sentences(const WeightsResult& result);

}  // namespace assay
