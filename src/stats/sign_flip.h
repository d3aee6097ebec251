// Is the mean of paired differences above zero?
#pragma once

#include <cstdint>
#include <span>

namespace assay {

struct SignFlipOptions {
    std::uint64_t seed = 0;
    int draws = 9999;  // random flips, where not all are tried
};

// One-sided p-value of "the mean is above zero" for paired differences of independent blocks, which under the
// null hypothesis are symmetric about zero:
//   p = (1 + #{draws: Σ ±d >= Σ d}) / (1 + draws)
// and for at most kExactBlocks blocks, over all 2^n flips, p = #{flips: Σ ±d >= Σ d} / 2^n: the least p that
// n blocks can show is 2^-n. Sums that are equal but for rounding count as equal. No blocks, or all zero: 1.
// The same bits for the same seed. Shape: differences [blocks].
// Throws: NumericError for NaN or Inf, InvalidArgument for fewer than one draw.
// Source: Fisher 1935, "The Design of Experiments", section 21; the added one: Phipson & Smyth 2010.
double sign_flip_test(std::span<const double> differences, const SignFlipOptions& options);

inline constexpr std::size_t kExactBlocks = 12;

}  // namespace assay
