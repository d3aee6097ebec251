#include "stats/false_discovery.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace assay {

Discoveries benjamini_hochberg(std::span<const double> p_values, double rate) {
    if (!(rate > 0 && rate < 1))
        throw InvalidArgument("benjamini_hochberg: the rate must lie between 0 and 1, such as 0.05");
    for (const double p : p_values) {
        if (std::isnan(p)) throw NumericError("benjamini_hochberg: a p-value is NaN");
        if (p < 0 || p > 1) throw InvalidArgument("benjamini_hochberg: a p-value lies outside [0, 1]");
    }
    std::vector<std::size_t> order(p_values.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return p_values[a] < p_values[b]; });
    const auto tests = static_cast<double>(p_values.size());
    Discoveries found{std::vector<bool>(p_values.size()), std::vector<double>(p_values.size())};
    double least = 1;
    for (std::size_t rank = order.size(); rank > 0; --rank) {
        const std::size_t i = order[rank - 1];
        least = std::min(least, tests / static_cast<double>(rank) * p_values[i]);
        found.q_values[i] = least;
        found.rejected[i] = least <= rate;
    }
    return found;
}

}  // namespace assay
