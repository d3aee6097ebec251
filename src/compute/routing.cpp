#include "compute/routing.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace assay::compute {
namespace {

// In place: logits -> probabilities.
void softmax(std::span<double> x) {
    const double top = *std::max_element(x.begin(), x.end());
    double sum = 0;
    for (double& value : x) sum += value = std::exp(value - top);
    for (double& value : x) value /= sum;
}

// Ids of the largest values, largest first, the lowest id first on ties.
std::vector<std::int32_t> largest(std::span<const double> values, std::int64_t count) {
    std::vector<std::int32_t> ids(values.size());
    std::iota(ids.begin(), ids.end(), 0);
    std::stable_sort(ids.begin(), ids.end(), [&](std::int32_t a, std::int32_t b) {
        return values[static_cast<std::size_t>(a)] > values[static_cast<std::size_t>(b)];
    });
    ids.resize(static_cast<std::size_t>(count));
    return ids;
}

}  // namespace

Routing route_rows(const Batch& batch, std::int64_t experts, const RouteSpec& spec,
                   const std::function<void(std::int64_t, std::span<double>)>& fill) {
    const auto count = static_cast<std::size_t>(experts);
    std::vector<std::vector<std::int64_t>> window_rows(
        count, std::vector<std::int64_t>(static_cast<std::size_t>(batch.windows())));
    Routing routing;
    routing.experts.resize(count);
    std::vector<double> p(count);
    for (std::int64_t w = 0; w < batch.windows(); ++w) {
        for (std::int64_t r = batch.window_first_row(w); r < batch.window_first_row(w) + batch.window_rows(w);
             ++r) {
            fill(r, p);
            softmax(p);
            const auto chosen = largest(p, spec.experts_per_token);
            double sum = 0;
            for (std::int32_t id : chosen) sum += p[static_cast<std::size_t>(id)];
            for (std::int32_t id : chosen) {
                const auto e = static_cast<std::size_t>(id);
                routing.experts[e].rows.push_back(r);
                routing.experts[e].weights.push_back(spec.renormalise ? p[e] / sum : p[e]);
                ++window_rows[e][static_cast<std::size_t>(w)];
            }
        }
    }
    for (std::size_t e = 0; e < count; ++e) routing.experts[e].batch = Batch(std::move(window_rows[e]));
    return routing;
}

}  // namespace assay::compute
