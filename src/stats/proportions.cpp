#include "stats/proportions.h"

#include <algorithm>
#include <boost/math/distributions/binomial.hpp>
#include <cmath>

#include "base/error.h"

namespace assay {
namespace {

constexpr double kZ = 1.959963984540054;  // Φ⁻¹(0.975)

void check_pairs(std::int64_t first_only, std::int64_t second_only) {
    if (first_only < 0 || second_only < 0) throw InvalidArgument("paired proportions: a count is negative");
}

}  // namespace

Interval wilson_interval(std::int64_t successes, std::int64_t trials) {
    if (successes < 0 || trials < 1 || successes > trials)
        throw InvalidArgument("wilson_interval: successes lie between 0 and the number of trials");
    const auto n = static_cast<double>(trials);
    const double p = static_cast<double>(successes) / n, z2 = kZ * kZ;
    const double middle = p + z2 / (2 * n), half = kZ * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
    const double low = (middle - half) / (1 + z2 / n), high = (middle + half) / (1 + z2 / n);
    return {successes == 0 ? 0 : low, successes == trials ? 1 : high};  // exactly there but for rounding
}

double mcnemar_p_value(std::int64_t first_only, std::int64_t second_only) {
    check_pairs(first_only, second_only);
    const std::int64_t pairs = first_only + second_only;
    if (pairs == 0) return 1;
    const boost::math::binomial distribution(static_cast<double>(pairs), 0.5);
    const auto fewer = static_cast<double>(std::min(first_only, second_only));
    return std::min(1.0, 2 * boost::math::cdf(distribution, fewer));
}

Interval paired_difference_interval(std::int64_t first_only, std::int64_t second_only,
                                    std::int64_t questions) {
    check_pairs(first_only, second_only);
    if (first_only + second_only > questions)
        throw InvalidArgument("paired_difference_interval: more pairs than questions");
    const auto m = static_cast<double>(questions + 2);
    const auto b = static_cast<double>(first_only + 1), c = static_cast<double>(second_only + 1);
    const double difference = (c - b) / m;
    const double half = kZ * std::sqrt(((b + c) / m - difference * difference) / m);
    return {std::max(-1.0, difference - half), std::min(1.0, difference + half)};
}

}  // namespace assay
