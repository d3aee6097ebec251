// Confidence intervals by resampling whole blocks of tokens.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "base/interval.h"

namespace assay {

struct BootstrapOptions {
    int resamples = 2000;
    double level = 0.95;  // share of resampled values inside the interval, between 0 and 1
    std::uint64_t seed = 0;
};

// A statistic of a resample: multiplicities[b] says how often block b was drawn; they sum to the number of
// blocks.
using BlockStatistic = std::function<double(std::span<const double> multiplicities)>;

// Percentile interval of a statistic: draw `blocks` blocks with replacement, compute the statistic,
// `resamples` times; the interval lies between the quantiles (1 - level)/2 and (1 + level)/2 of the values.
// Whatever the statistic reads of a block is drawn together: reading two models' sums of one block makes the
// comparison paired.
//   ΔPPL:           exp(Σ m b / Σ m n) - exp(Σ m a / Σ m n)     m: multiplicities, a, b: NLL sums, n: tokens
//   relative ΔPPL:  exp(Σ m (b - a) / Σ m n) - 1
//
// The blocks must be nearly independent: tokens of one text are correlated, so a block is a window or a run
// of positions longer than the correlation, never a token. Fixed, non-overlapping blocks (Carlstein) are
// used, not moving ones. The interval is a little narrow: its width carries the factor sqrt((n - 1)/n) of the
// resampled variance and normal, not Student, tails: in simulation 95 % intervals of Gaussian block means
// cover about 94 % at 40 blocks and about 90 % at 10. Below about 20 blocks cut the windows into shorter
// blocks.
//
// The same bits for the same seed. Returns none for fewer than two blocks: one block says nothing about its
// spread.
// Throws: InvalidArgument for impossible options, NumericError where the statistic is NaN or infinite.
// Source: Efron & Tibshirani 1993, "An Introduction to the Bootstrap", chapters 8 and 13; blocks: Carlstein
// 1986, "The Use of Subseries Values…"; Künsch 1989, "The Jackknife and the Bootstrap for General Stationary
// Observations".
std::optional<Interval> bootstrap(std::int64_t blocks, const BlockStatistic& statistic,
                                  const BootstrapOptions& options);

// Interval of the mean over tokens, Σ block_sums / Σ block_counts: the ratio of sums, so that blocks of
// different length weigh by their tokens. For a paired comparison pass the blocks' differences. All-zero
// differences give exactly [0, 0].
// Shape: block_sums, block_counts [blocks], counts positive.
// Throws: as bootstrap; InvalidArgument where the shapes do not hold.
std::optional<Interval> bootstrap_mean(std::span<const double> block_sums,
                                       std::span<const double> block_counts, const BootstrapOptions& options);

}  // namespace assay
