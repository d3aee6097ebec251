#include "measure/token_statistics.h"

#include <cmath>

#include "base/error.h"
#include "stats/bootstrap.h"
#include "stats/quantile.h"

namespace assay {
namespace {

// Sums of each block's tokens; `value` is given the token's index.
template <class Value>
std::vector<double> block_sums(std::span<const BlockSums> blocks, Value value) {
    std::vector<double> sums;
    std::size_t token = 0;
    for (const BlockSums& block : blocks) {
        double sum = 0;
        for (std::int64_t i = 0; i < block.tokens; ++i) sum += value(token++);
        sums.push_back(sum);
    }
    return sums;
}

double total(std::span<const double> values) {
    double sum = 0;
    for (double v : values) sum += v;
    return sum;
}

// sqrt of an interval of squares; monotone, so it is the interval of the roots.
std::optional<Interval> root(const std::optional<Interval>& squares) {
    if (!squares) return std::nullopt;
    return Interval{std::sqrt(squares->low), std::sqrt(squares->high)};
}

}  // namespace

std::vector<Percentile> percentiles(std::span<const double> values, std::span<const double> percents) {
    std::vector<double> probabilities;
    for (double percent : percents) probabilities.push_back(percent / 100);
    const std::vector<double> at = quantiles(values, probabilities);
    std::vector<Percentile> all;
    for (std::size_t i = 0; i < at.size(); ++i) all.push_back({percents[i], at[i]});
    return all;
}

std::optional<double> ppl_standard_error(std::span<const double> token_nll) {
    if (token_nll.size() < 2) return std::nullopt;
    const auto n = static_cast<double>(token_nll.size());
    const double mean = total(token_nll) / n;
    double squares = 0;  // around the mean: nothing cancels
    for (double nll : token_nll) squares += (nll - mean) * (nll - mean);
    return std::exp(mean) * std::sqrt(squares / n / (n - 1));
}

ProbabilityChange probability_change(std::span<const double> reference_nll, std::span<const double> token_nll,
                                     std::span<const BlockSums> blocks, std::uint64_t seed) {
    const std::vector<double> counts = block_sums(blocks, [](std::size_t) { return 1.0; });
    const double tokens = total(counts);
    if (tokens != static_cast<double>(token_nll.size()) || token_nll.size() != reference_nll.size())
        throw InvalidArgument(
            "probability_change: one NLL of each run for each token of the blocks is needed");
    std::vector<double> delta;
    for (std::size_t i = 0; i < token_nll.size(); ++i)
        delta.push_back(100 * (std::exp(-token_nll[i]) - std::exp(-reference_nll[i])));
    const auto sums = block_sums(blocks, [&](std::size_t i) { return delta[i]; });
    const auto squares = block_sums(blocks, [&](std::size_t i) { return delta[i] * delta[i]; });
    const BootstrapOptions options{.seed = seed};
    return {.mean = total(sums) / tokens,
            .mean_ci95 = bootstrap_mean(sums, counts, options),
            .rms = std::sqrt(total(squares) / tokens),
            .rms_ci95 = root(bootstrap_mean(squares, counts, options)),
            .percentiles = percentiles(delta, kDeltaPPercents)};
}

}  // namespace assay
