// From scores to damage: the block estimator, its standard errors, and the ratio ρ that removes its bias.
#pragma once

#include <span>
#include <vector>

#include "measure/treatment_scores.h"

namespace assay {

// Of one item and treatment, in nats per scored token; T scored tokens in all. Sums S_b as ScoreResult has
// them.
struct DamageEstimate {
    double kl = 0;          // ½ Σ_b S_b² / T: the block estimator, before ρ
    double kl_windows = 0;  // ½ Σ_w (Σ_{b in w} S_b)² / T: unbiased for ½ ΔwᵀFΔw, with far more variance
    // Standard errors of kl. Over draws of labels on the same windows: ½ sqrt(⅔ Σ_b S_b⁴) / T, from Var(S²) =
    // ⅔ E(S⁴) of a normal S, blocks being uncorrelated. Over new windows too: the ratio estimator's,
    //   sqrt(n/(n - 1) Σ_u (q_u - kl T_u)²) / T · t/z,  q_u = ½ Σ_{b in u} S_b²,
    // over n units u: windows where there are at least kWindowUnits, else blocks; never below label_se. t/z =
    // t(0.975; n - 1) / z(0.975) widens it for being estimated from n units itself.
    double label_se = 0;
    double se = 0;
};

// Fewer windows tell too little of the spread between windows.
inline constexpr std::int64_t kWindowUnits = 8;

DamageEstimate estimate_damage(const ScoreResult& scores, std::span<const double> sums);

// ρ = Σ_i kl_windows_i / kl_i / n, over the estimates of items of one kind that have any damage, drawn
// towards the mean of all kinds as far as that is uncertain: the weight of the own mean is m / (m +
// kRatioPrior), m estimates. 1 where there are none.
struct RatioSums {
    double ratios = 0;
    double count = 0;
    void add(const DamageEstimate& estimate);
};
inline constexpr double kRatioPrior = 16;
double block_ratio(const RatioSums& own, const RatioSums& all);

}  // namespace assay
