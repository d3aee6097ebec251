#include "stats/mean_interval.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace assay {

std::optional<Interval> mean_interval(std::span<const double> values) {
    if (!std::all_of(values.begin(), values.end(), [](double x) { return std::isfinite(x); }))
        throw NumericError("mean_interval: a value is NaN or infinite");
    if (values.size() < 2) return std::nullopt;
    // From the first value, so that equal values have exactly no spread.
    const double origin = values.front(), n = static_cast<double>(values.size());
    const auto add = [origin](double sum, double x) { return sum + (x - origin); };
    const double shift = std::accumulate(values.begin(), values.end(), 0.0, add) / n;
    double squares = 0;
    for (const double x : values) squares += (x - origin - shift) * (x - origin - shift);
    const double t = boost::math::quantile(boost::math::students_t(n - 1), 0.975);
    const double half = t * std::sqrt(squares / (n - 1) / n);
    return Interval{origin + shift - half, origin + shift + half};
}

}  // namespace assay
