#include "stats/quadratic_interval.h"

#include <algorithm>
#include <boost/math/distributions/chi_squared.hpp>
#include <cmath>

#include "base/error.h"

namespace assay {
namespace {

constexpr double kNormal975 = 1.959963984540054;  // Φ⁻¹(0.975)

// χ²(p; ν) / ν for p = 0.975 (sign 1) or 0.025 (sign -1). Beyond 10⁶ degrees of freedom the cube of a normal
// variable (Wilson & Hilferty 1931) is closer than 1e-9, and holds to ν = ∞.
double chi_square_over_mean(double nu, int sign) {
    if (nu > 1e6) {
        const double variance = 2 / (9 * nu);
        return std::pow(1 - variance + sign * kNormal975 * std::sqrt(variance), 3);
    }
    return boost::math::quantile(boost::math::chi_squared(nu), sign > 0 ? 0.975 : 0.025) / nu;
}

}  // namespace

Interval quadratic_interval(double estimate, double standard_error) {
    if (!std::isfinite(estimate) || !std::isfinite(standard_error))
        throw NumericError("quadratic_interval: the estimate or its standard error is NaN or infinite");
    if (estimate < 0 || standard_error < 0)
        throw InvalidArgument("quadratic_interval: a sum of squares and its standard error are not negative");
    if (standard_error == 0) return {estimate, estimate};
    const double ratio = estimate / standard_error;
    const double nu = std::max(1.0, 2 * ratio * ratio);
    Interval interval{estimate / chi_square_over_mean(nu, 1), estimate / chi_square_over_mean(nu, -1)};
    if (nu == 1) interval.high = std::max(interval.high, estimate + kNormal975 * standard_error);
    return interval;
}

}  // namespace assay
