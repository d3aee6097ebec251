#include "stats/quantile.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/error.h"

namespace assay {

std::vector<double> quantiles(std::span<const double> values, std::span<const double> probabilities) {
    if (values.empty()) throw InvalidArgument("quantiles: at least one value is needed");
    if (!std::all_of(values.begin(), values.end(), [](double x) { return std::isfinite(x); })) {
        throw NumericError("quantiles: a value is NaN or infinite");
    }
    std::vector<double> sorted(values.begin(), values.end());
    std::sort(sorted.begin(), sorted.end());
    std::vector<double> result;
    result.reserve(probabilities.size());
    for (const double p : probabilities) {
        if (!(p >= 0 && p <= 1))
            throw InvalidArgument("quantiles: probability " + std::to_string(p) + " is not in [0, 1]");
        const double position = p * static_cast<double>(sorted.size() - 1);
        const auto below = static_cast<std::size_t>(position);
        const double low = sorted[below], high = sorted[std::min(below + 1, sorted.size() - 1)];
        result.push_back(std::lerp(low, high, position - static_cast<double>(below)));
    }
    return result;
}

double quantile(std::span<const double> values, double probability) {
    return quantiles(values, std::span(&probability, 1)).front();
}

}  // namespace assay
