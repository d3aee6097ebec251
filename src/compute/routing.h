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

// Gradients of the weights of each expert's rows, in their order.
using RoutingGradient = std::vector<std::vector<double>>;

// Routes by the rows' router logits: fill(row, logits) writes those of one row.
Routing route_rows(const Batch& batch, std::int64_t experts, const RouteSpec& spec,
                   const std::function<void(std::int64_t, std::span<double>)>& fill);

// Rows of each window that two routings of a batch give to different sets of experts.
std::vector<std::int64_t> changed_routes(const Batch& batch, const Routing& a, const Routing& b);

// Gradients of the router's logits of `rows` rows from those of the weights, for the choice of experts as it
// was: g_logit = p (g - Σ p g), with g = 0 for experts not chosen, and p the softmax over the chosen ones
// where `renormalise`, else over all. write(row, g_logits) takes those of one row.
void route_rows_backward(std::int64_t rows, const RouteSpec& spec, const Routing& routing,
                         const RoutingGradient& g_weights,
                         const std::function<void(std::int64_t, std::span<double>)>& fill,
                         const std::function<void(std::int64_t, std::span<const double>)>& write);

}  // namespace assay::compute
