// What the scored tokens say one by one, where block sums do not suffice: the numbers of llama.cpp's
// perplexity program.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "records/block_sums.h"
#include "records/perplexity.h"

namespace assay {

// llama.cpp's lists, from the largest down. It prints these of the KL of single tokens …
inline constexpr double kKlPercents[] = {100, 99.9, 99, 95, 90, 50, 10, 5, 1, 0.1, 0};
// … and these of their Δp.
inline constexpr double kDeltaPPercents[] = {100, 99.9, 99, 95, 90, 75, 50, 25, 10, 5, 1, 0.1, 0};

// The quantile percent / 100 of the values for each of `percents`, by stats/quantile.h: type 7, linear at
// (n - 1)·p between the sorted values. llama.cpp's percentiles and median are the same, computed in float32.
// Throws as quantiles().
std::vector<Percentile> percentiles(std::span<const double> values, std::span<const double> percents);

// exp(m) · sqrt((mean(nll²) - m²) / (n - 1)),  m = mean(nll) over the n tokens
// The standard error of the perplexity were the tokens independent; they are not, so trust the bootstrap over
// blocks. None for fewer than two tokens.
// Source: llama.cpp, tools/perplexity/perplexity.cpp at commit 050fc7f: "Final estimate: PPL = … +/- …".
std::optional<double> ppl_standard_error(std::span<const double> token_nll);

// Δp = 100 · (exp(-nll) - exp(-reference nll)) of each token, in percentage points; mean, RMS = sqrt(mean
// Δp²) and percentiles over tokens, intervals from the bootstrap over `blocks`. Shape: both lists hold one
// number for each token of the blocks, in their order; InvalidArgument otherwise. Source: llama.cpp, as
// above, kl_divergence(): "Mean Δp", "RMS Δp".
ProbabilityChange probability_change(std::span<const double> reference_nll, std::span<const double> token_nll,
                                     std::span<const BlockSums> blocks, std::uint64_t seed);

}  // namespace assay
