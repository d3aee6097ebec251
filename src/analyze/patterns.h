// What damages have in common: statistics of results that are there already.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "records/patterns.h"
#include "records/sensitivity.h"

namespace assay {

// The first and the last block, both, and each projection, beside the other linears of blocks, of one
// treatment:
//   ratio = mean kl of the kind / mean kl of the others
// Its 95 % interval: quantiles of the ratio over kPatternDraws seeded draws of all damages, each from the
// gamma distribution with the damage as mean and a quarter of its interval's width as standard deviation; it
// says how far the damages are known, not how other models are. p: two-sided permutation test of |ln ratio|,
// blocks permuted as wholes for depth, projections within their blocks; (1 + #{draws at least as far}) / (1 +
// draws). Kinds without others, or without damage, are left out. Sources: Fisher 1935; Phipson & Smyth 2010.
std::vector<DamagePattern> depth_patterns(std::span<const SensitivityLinear> linears, std::int64_t blocks,
                                          std::uint64_t seed);
std::vector<DamagePattern> projection_patterns(std::span<const SensitivityLinear> linears,
                                               std::uint64_t seed);

inline constexpr int kPatternDraws = 1999;

// Spearman's correlation of `values` with `damages`, none where values are missing; its 95 % interval by a
// seeded bootstrap over linears. None for fewer than kIndicatorLinears.
std::optional<Indicator> indicator(const std::string& name, std::span<const std::optional<double>> values,
                                   std::span<const double> damages, std::uint64_t seed);
inline constexpr std::size_t kIndicatorLinears = 8;

// Of the linears whose output error is known and above 0.
std::vector<DamageFactors> damage_factors(std::span<const std::string> names,
                                          std::span<const double> output_errors,
                                          std::span<const double> damages);

}  // namespace assay
