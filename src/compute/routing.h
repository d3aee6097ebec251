// Mixture of experts: which rows go to which expert, and with what weight.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "compute/batch.h"

namespace assay::compute {

struct RouteSpec {
    std::int64_t experts_per_token = 0;
    bool renormalise = false;  // the chosen weights of a row sum to 1
};

// The rows that one expert computes, window by window in the order of their positions.
struct ExpertRows {
    Batch batch = Batch({});         // rows per window; a window may have none
    std::vector<std::int64_t> rows;  // of the chunk
    std::vector<double> weights;
};

struct Routing {
    std::vector<ExpertRows> experts;
};

// Routes by the rows' router logits: fill(row, logits) writes those of one row.
Routing route_rows(const Batch& batch, std::int64_t experts, const RouteSpec& spec,
                   const std::function<void(std::int64_t, std::span<double>)>& fill);

}  // namespace assay::compute
