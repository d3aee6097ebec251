// What an intervention gains, beside what it gains on twins: the statistics of findings.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/interval.h"
#include "records/block_sums.h"

namespace assay {

// ln(Σ after / Σ before) of two swaps' damage on the same blocks of positions, with each block's influence
//   u_i = n (after_i / Σ after - before_i / Σ before),   Σ u_i = 0.
// A sum below `floor` counts as `floor`, without influence: rounding alone gives as much.
struct LogRatio {
    double value = 0;
    std::vector<double> influence;
};
LogRatio log_damage_ratio(std::span<const BlockSums> before, std::span<const BlockSums> after, double floor);

// How far luck moves a log ratio: an intervention changes every code, and which errors come out is chance.
// The variance of one twin's log ratio, pooled over interventions, with its degrees of freedom.
struct LuckSums {
    double squares = 0;  // Σ (log ratio of a twin - the twins' mean)²
    double freedom = 0;  // Σ (twins - 1)
    void add(std::span<const LogRatio> twins);
};

// One intervention on one linear.
struct CauseTest {
    double gain = 0;       // 1 - Σ after / Σ before of the linear itself
    double twin_gain = 0;  // 1 - exp(mean log ratio of the twins)
    double p_value = 1;    // one-sided, of "it gains no more than on its twins"
};

// With ℓ the linear's log ratio and ℓ_m those of M twins, excess = mean ℓ_m - ℓ;
//   SE² = Σ_i (mean u_mi - u_i)² / (n (n - 1))  +  s² (1 + 1/M)
// the first part for the text, paired over n blocks, the second for luck, s² = squares/freedom, as the linear
// and each twin are one draw. p = P(T > excess/SE), T of Student's distribution with Welch–Satterthwaite's
// degrees of freedom. p is 1 for fewer than two blocks or twins.
// Shape: the same blocks everywhere. Source: Satterthwaite 1946.
CauseTest test_cause(const LogRatio& own, std::span<const LogRatio> twins, const LuckSums& luck);

// 95 % interval of the ratio whose logarithm the twins' log ratios have as mean: exp(mean ± t SE), SE and the
// degrees of freedom of t as in test_cause() with the own log ratio 0. None for fewer than two blocks or
// twins.
std::optional<Interval> mean_ratio_ci95(std::span<const LogRatio> twins, const LuckSums& luck);

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
