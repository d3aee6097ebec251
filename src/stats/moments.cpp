#include "stats/moments.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "base/checked.h"
#include "base/error.h"

namespace assay {
namespace {

constexpr std::int64_t kChunk = 1 << 14;
constexpr std::size_t kLanes = 8;  // independent sums: the speed of vector additions in a fixed order
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Calls fn(chunk, chunk's values) for each fixed chunk and returns what the calls made, in order.
template <class Result, class Fn>
std::vector<Result> map_chunks(std::span<const float> values, ThreadPool& pool, Fn fn) {
    const auto size = static_cast<std::int64_t>(values.size());
    std::vector<Result> results(static_cast<std::size_t>(ceil_div(size, kChunk)));
    parallel_for(pool, size, kChunk, [&](std::int64_t begin, std::int64_t end) {
        const auto part =
            values.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
        results[static_cast<std::size_t>(begin / kChunk)] = fn(begin, part);
    });
    return results;
}

// Σ term(x) over lanes.
template <class Term>
double lane_sum(std::span<const float> values, Term term) {
    std::array<double, kLanes> sums{};
    std::size_t i = 0;
    for (; i + kLanes <= values.size(); i += kLanes) {
        for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += term(values[i + lane]);
    }
    double sum = 0;
    for (const double lane : sums) sum += lane;
    for (; i < values.size(); ++i) sum += term(values[i]);
    return sum;
}

// The smallest and largest of the values for which `in` holds; infinities (low above high) where it holds for
// none.
struct Range {
    float low = kInfinity, high = -kInfinity;

    void add(float smaller, float larger) {
        low = std::min(low, smaller);
        high = std::max(high, larger);
    }
};

template <class Predicate>
Range lane_range(std::span<const float> values, Predicate in) {
    std::array<float, kLanes> low, high;
    low.fill(kInfinity);
    high.fill(-kInfinity);
    std::size_t i = 0;
    for (; i + kLanes <= values.size(); i += kLanes) {
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
            const float x = values[i + lane];
            const bool take = in(x);
            low[lane] = std::min(low[lane], take ? x : kInfinity);
            high[lane] = std::max(high[lane], take ? x : -kInfinity);
        }
    }
    Range range;
    for (std::size_t lane = 0; lane < kLanes; ++lane) range.add(low[lane], high[lane]);
    for (; i < values.size(); ++i) {
        if (in(values[i])) range.add(values[i], values[i]);
    }
    return range;
}

struct ChunkMoments {
    double count = 0, mean = 0, squares = 0;  // squares: Σ (x - mean)²
    Range range;
};

ChunkMoments chunk_moments(std::int64_t first, std::span<const float> values) {
    ChunkMoments m;
    m.count = static_cast<double>(values.size());
    m.mean = lane_sum(values, [](float x) { return static_cast<double>(x); }) / m.count;
    if (!std::isfinite(m.mean)) {
        const auto bad =
            std::find_if(values.begin(), values.end(), [](float x) { return !std::isfinite(x); });
        throw NumericError("element " + std::to_string(first + (bad - values.begin())) + " is " +
                           (std::isnan(*bad) ? "NaN" : "infinite") + ": finite numbers are expected");
    }
    m.squares = lane_sum(values, [mean = m.mean](float x) {
        const double d = static_cast<double>(x) - mean;
        return d * d;
    });
    m.range = lane_range(values, [](float) { return true; });
    return m;
}

void merge(ChunkMoments& all, const ChunkMoments& chunk) {
    const double count = all.count + chunk.count, delta = chunk.mean - all.mean;
    all.mean += delta * (chunk.count / count);
    all.squares += chunk.squares + delta * delta * (all.count * chunk.count / count);
    all.count = count;
    all.range.add(chunk.range.low, chunk.range.high);
}

struct ChunkOutliers {
    double count = 0;
    Range inliers;
};

}  // namespace

Moments moments(std::span<const float> values, ThreadPool& pool) {
    if (values.empty()) return {};
    const auto chunks = map_chunks<ChunkMoments>(values, pool, chunk_moments);
    ChunkMoments all;
    for (const ChunkMoments& chunk : chunks) merge(all, chunk);
    return {.count = static_cast<std::int64_t>(values.size()),
            .mean = all.mean,
            .std = std::sqrt(all.squares / all.count),
            .min = all.range.low,
            .max = all.range.high,
            .max_abs = std::max(-all.range.low, all.range.high)};
}

Outliers outliers(std::span<const float> values, const Moments& of, double k, ThreadPool& pool) {
    if (of.count != static_cast<std::int64_t>(values.size())) {
        throw InvalidArgument("outliers: the moments are of " + std::to_string(of.count) +
                              " elements, not of these " + std::to_string(values.size()));
    }
    if (!(k > 0)) throw InvalidArgument("outliers: the number of standard deviations must be positive");
    const double limit = k * of.std;
    const auto is_outlier = [limit, mean = of.mean](float x) {
        return std::abs(static_cast<double>(x) - mean) > limit;
    };
    const auto chunks =
        map_chunks<ChunkOutliers>(values, pool, [&](std::int64_t, std::span<const float> part) {
            return ChunkOutliers{lane_sum(part, [&](float x) { return is_outlier(x) ? 1.0 : 0.0; }),
                                 lane_range(part, [&](float x) { return !is_outlier(x); })};
        });
    ChunkOutliers all;
    for (const ChunkOutliers& chunk : chunks) {
        all.count += chunk.count;
        all.inliers.add(chunk.inliers.low, chunk.inliers.high);
    }
    Outliers result{.count = static_cast<std::int64_t>(all.count), .fraction = 0, .range_ratio = 1.0};
    if (result.count == 0) return result;
    result.fraction = all.count / static_cast<double>(values.size());
    const double range = static_cast<double>(of.max) - of.min;
    const double inlier_range = static_cast<double>(all.inliers.high) - all.inliers.low;
    result.range_ratio = inlier_range > 0 ? std::optional(range / inlier_range) : std::nullopt;
    return result;
}

}  // namespace assay
