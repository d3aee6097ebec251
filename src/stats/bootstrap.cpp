#include "stats/bootstrap.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "stats/quantile.h"

namespace assay {
namespace {

void check_options(std::int64_t blocks, const BootstrapOptions& options) {
    if (blocks < 0) throw InvalidArgument("bootstrap: the number of blocks is negative");
    if (options.resamples < 1) throw InvalidArgument("bootstrap: at least one resample is needed");
    if (!(options.level > 0 && options.level < 1)) {
        throw InvalidArgument("bootstrap: the level must lie between 0 and 1, such as 0.95, not " +
                              std::to_string(options.level));
    }
}

}  // namespace

std::optional<Interval> bootstrap(std::int64_t blocks, const BlockStatistic& statistic,
                                  const BootstrapOptions& options) {
    check_options(blocks, options);
    if (blocks < 2) return std::nullopt;
    const auto count = static_cast<std::size_t>(blocks);
    std::vector<double> multiplicities(count);
    std::vector<double> values(static_cast<std::size_t>(options.resamples));
    Rng rng(options.seed);
    for (double& value : values) {
        std::fill(multiplicities.begin(), multiplicities.end(), 0.0);
        for (std::size_t draw = 0; draw < count; ++draw) multiplicities[rng.below(count)] += 1;
        value = statistic(multiplicities);
        if (!std::isfinite(value))
            throw NumericError("bootstrap: the statistic of a resample is NaN or infinite");
    }
    const double tail = (1 - options.level) / 2;
    const auto ends = quantiles(values, std::array{tail, 1 - tail});
    return Interval{ends[0], ends[1]};
}

std::optional<Interval> bootstrap_mean(std::span<const double> block_sums,
                                       std::span<const double> block_counts,
                                       const BootstrapOptions& options) {
    if (block_sums.size() != block_counts.size()) {
        throw InvalidArgument("bootstrap_mean: one count for each block's sum is needed");
    }
    if (!std::all_of(block_counts.begin(), block_counts.end(), [](double n) { return n > 0; })) {
        throw InvalidArgument("bootstrap_mean: every block must count at least one token");
    }
    const auto mean = [&](std::span<const double> multiplicities) {
        double sum = 0, count = 0;
        for (std::size_t b = 0; b < multiplicities.size(); ++b) {
            sum += multiplicities[b] * block_sums[b];
            count += multiplicities[b] * block_counts[b];
        }
        return sum / count;
    };
    return bootstrap(static_cast<std::int64_t>(block_sums.size()), mean, options);
}

}  // namespace assay
