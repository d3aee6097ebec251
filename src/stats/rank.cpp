#include "stats/rank.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace assay {
namespace {

bool is_constant(std::span<const double> values) {
    return std::all_of(values.begin(), values.end(), [&](double v) { return v == values.front(); });
}

double mean(std::span<const double> values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

std::vector<double> average_ranks(std::span<const double> values) {
    if (std::any_of(values.begin(), values.end(), [](double x) { return std::isnan(x); })) {
        throw NumericError("average_ranks: a value is NaN");
    }
    std::vector<std::size_t> order(values.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
    std::vector<double> ranks(values.size());
    for (std::size_t begin = 0, end = 0; begin < order.size(); begin = end) {
        while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
        const double shared = static_cast<double>(begin + 1 + end) / 2;  // mean of begin+1 … end
        for (std::size_t i = begin; i < end; ++i) ranks[order[i]] = shared;
    }
    return ranks;
}

std::optional<double> pearson(std::span<const double> x, std::span<const double> y) {
    if (x.size() != y.size()) throw InvalidArgument("correlation: the lists must have one length");
    if (is_constant(x) || is_constant(y)) return std::nullopt;
    const double mean_x = mean(x), mean_y = mean(y);
    double xx = 0, yy = 0, xy = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double a = x[i] - mean_x, b = y[i] - mean_y;
        xx += a * a;
        yy += b * b;
        xy += a * b;
    }
    const double r = xy / std::sqrt(xx * yy);
    if (!std::isfinite(r)) throw NumericError("correlation: a value is NaN, infinite or too large");
    return std::clamp(r, -1.0, 1.0);
}

std::optional<double> spearman(std::span<const double> x, std::span<const double> y) {
    return pearson(average_ranks(x), average_ranks(y));
}

}  // namespace assay
