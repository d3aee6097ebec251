#include "stats/rank.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace assay {

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

std::optional<double> spearman(std::span<const double> x, std::span<const double> y) {
    if (x.size() != y.size()) throw InvalidArgument("spearman: the lists must have one length");
    const std::vector<double> rank_x = average_ranks(x), rank_y = average_ranks(y);
    const double mean = (static_cast<double>(x.size()) + 1) / 2;
    double xx = 0, yy = 0, xy = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double a = rank_x[i] - mean, b = rank_y[i] - mean;
        xx += a * a;
        yy += b * b;
        xy += a * b;
    }
    if (xx == 0 || yy == 0) return std::nullopt;
    return std::clamp(xy / std::sqrt(xx * yy), -1.0, 1.0);
}

}  // namespace assay
