// What an intervention gains, beside what it gains on twins: the statistics of findings.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "base/interval.h"
#include "records/block_sums.h"

namespace assay {

// ln(Σ after / Σ before) of two swaps' damage on the same blocks of positions, with each block's influence
//   u_i = n (after_i / Σ after - before_i / Σ before),   Σ u_i = 0.
// A sum below `least` counts as `least`, without influence.
struct LogRatio {
    double value = 0;
    std::vector<double> influence;
};
LogRatio log_ratio(std::span<const double> before, std::span<const double> after, double least = 0);

// The same of mean KLs; a mean below `floor` counts as `floor`: rounding alone gives as much.
LogRatio log_damage_ratio(std::span<const BlockSums> before, std::span<const BlockSums> after, double floor);

// How far luck moves log ratios: the variance of one draw's, pooled over what was drawn repeatedly, with its
// degrees of freedom.
struct LuckSums {
    double squares = 0;  // Σ (log ratio of a draw - the draws' mean)²
    double freedom = 0;  // Σ (draws - 1)
    void add(std::span<const double> draws);
};

// One intervention on one linear.
struct CauseTest {
    double gain = 0;        // 1 - exp(mean log ratio of the linear itself)
    double twin_gain = 0;   // 1 - exp(mean log ratio of the twin)
    double p_value = 1;     // one-sided, of "it leaves at least (1 - margin) of what it leaves on the twin"
    double least_left = 0;  // ends of the 95 % interval of left()
    double most_left = std::numeric_limits<double>::infinity();

    double left() const { return (1 - gain) / std::max(1 - twin_gain, 1e-12); }
};

// With ℓ_r the linear's log ratios and ℓ'_r its twin's of R draws, excess = mean (ℓ'_r - ℓ_r) + ln(1 -
// margin);
//   SE² = Σ_i (mean (u'_ri - u_ri))² / (n (n - 1))  +  s²/R
// the first part for the text, paired over n blocks, the second for luck, s² = squares/freedom (absent: the
// draws have none). p = P(T > excess/SE), T of Student's distribution with Welch–Satterthwaite's degrees of
// freedom; least_left and most_left = exp(mean (ℓ_r - ℓ'_r) ∓ t SE). p is 1 and the interval all above 0 for
// fewer than two blocks. Shape: as many twins' ratios as own ones, the same blocks everywhere. Throws:
// InvalidArgument where there are none or not as many. Source: Satterthwaite 1946.
CauseTest test_cause(std::span<const LogRatio> own, std::span<const LogRatio> twins,
                     const std::optional<LuckSums>& luck, double margin);

// 95 % interval of the ratio whose logarithm R draws' log ratios have as mean, beside one more draw:
// exp(mean ± t SE) with s² (1 + 1/R) for luck. None for fewer than two blocks or draws.
std::optional<Interval> mean_ratio_ci95(std::span<const LogRatio> draws, const LuckSums& luck);

// Damage taken away: nats per token, and as a share of the damage before; 95 % intervals, paired bootstrap
// over blocks (none for fewer than two).
struct PairedGain {
    double nats = 0;  // (Σ before - Σ after) / Σ tokens
    std::optional<Interval> nats_ci95;
    double share = 0;  // 1 - Σ after / Σ before
    std::optional<Interval> share_ci95;
};
PairedGain paired_gain(std::span<const BlockSums> before, std::span<const BlockSums> after,
                       std::uint64_t seed);

}  // namespace assay
