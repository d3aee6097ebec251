#include "compute/routing.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>

#include "tensor/matrix.h"

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

std::vector<std::int64_t> changed_routes(const Batch& batch, const Routing& a, const Routing& b) {
    std::vector<bool> changed(static_cast<std::size_t>(batch.rows()));
    for (std::size_t e = 0; e < a.experts.size(); ++e) {
        const std::vector<std::int64_t>&x = a.experts[e].rows, &y = b.experts.at(e).rows;
        std::vector<std::int64_t> different;  // both are sorted: windows and positions in order
        std::set_symmetric_difference(x.begin(), x.end(), y.begin(), y.end(), std::back_inserter(different));
        for (std::int64_t row : different) changed[static_cast<std::size_t>(row)] = true;
    }
    std::vector<std::int64_t> counts;
    for (std::int64_t w = 0; w < batch.windows(); ++w) {
        const auto first = changed.begin() + batch.window_first_row(w);
        counts.push_back(std::count(first, first + batch.window_rows(w), true));
    }
    return counts;
}

void route_rows_backward(std::int64_t rows, const RouteSpec& spec, const Routing& routing,
                         const RoutingGradient& g_weights,
                         const std::function<void(std::int64_t, std::span<double>)>& fill,
                         const std::function<void(std::int64_t, std::span<const double>)>& write) {
    const std::size_t experts = routing.experts.size();
    Matrix<double> chosen(rows, static_cast<std::int64_t>(experts)),
        gradients(rows, static_cast<std::int64_t>(experts));
    for (std::size_t e = 0; e < experts; ++e) {
        for (std::size_t i = 0; i < routing.experts[e].rows.size(); ++i) {
            const std::int64_t row = routing.experts[e].rows[i];
            chosen.row(row)[e] = 1;
            gradients.row(row)[e] = g_weights[e][i];
        }
    }
    std::vector<double> p(experts);
    for (std::int64_t r = 0; r < rows; ++r) {
        fill(r, p);
        softmax(p);
        const auto g = gradients.row(r);
        double sum = 0, weighted = 0;
        for (std::size_t e = 0; e < experts; ++e) {
            if (spec.renormalise) p[e] *= chosen.row(r)[e];
            sum += p[e];
            weighted += p[e] * g[e];
        }
        for (std::size_t e = 0; e < experts; ++e) g[e] = p[e] / sum * (g[e] - weighted / sum);
        write(r, g);
    }
}

}  // namespace assay::compute
