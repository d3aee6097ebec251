#include "stats/power_sums.h"

#include <algorithm>
#include <cmath>

namespace assay {
namespace {

// Of Σ x² / n: what is smaller may be rounding of the sums.
constexpr double kRounding = 1e-12;

}  // namespace

void PowerSums::add(const PowerSums& part) {
    count += part.count;
    sum += part.sum;
    squares += part.squares;
    cubes += part.cubes;
    fourths += part.fourths;
}

double PowerSums::mean() const {
    return count == 0 ? 0 : sum / static_cast<double>(count);
}

double PowerSums::variance() const {
    if (count == 0) return 0;
    const double square = squares / static_cast<double>(count), m = mean(), difference = square - m * m;
    return difference > kRounding * square ? difference : 0;
}

double PowerSums::std() const {
    return std::sqrt(variance());
}

std::optional<double> PowerSums::kurtosis() const {
    const double v = variance();
    if (v == 0) return std::nullopt;
    const auto n = static_cast<double>(count);
    const double m = mean();
    const double fourth = fourths / n - 4 * m * (cubes / n) + 6 * m * m * (squares / n) - 3 * m * m * m * m;
    return std::max(1.0, fourth / (v * v));
}

}  // namespace assay
