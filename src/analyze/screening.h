// Screening: which causes of damage which linears are suspected of, all from one reverse pass.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "analyze/weight_changes.h"
#include "model/pass.h"

namespace assay {

// What is known of a linear before.
struct ScreenedLinear {
    std::size_t item = 0;
    std::span<const double> energies;  // of its input channels
    bool of_weights = true;            // whether causes that lie in the weights make sense
};

// What a linear's scores say of a cause.
struct ScreenedCause {
    std::size_t item = 0;
    Cause cause = Cause::kSalientChannels;
    // What the intervention leaves of the damage, beside what it leaves of it on the null twin.
    double left = 1;
    double least_left = 0;  // ends of its 95 % interval
    double most_left = 1;
    double kl = 0;  // ½ Σ_b V_b / T without the intervention: about the linear's damage, nats per token
    double q_value = 1;
    bool suspected = false;
};

inline constexpr double kFalseDiscoveryRate = 0.05;

// Damage that an intervention takes away beyond that on the null twin, below which no cause is claimed.
inline constexpr double kLeastExcess = 0.1;

// Of each linear, scores V_b of errors of random signs (ScoreOptions::random_signs) that have the local sizes
// of those of rounding in `format` (add_matched_noise()), with and without each intervention
// (analyze/weight_changes.h):
//   ℓ = ln Σ_b V_b(with) / Σ_b V_b(without),    left = exp(ℓ) / null
//   salient_channels: the kSalientShare of channels with most energy kept; null: as many random ones kept
//   causes of the weights: beside the salient channels kept; null: the ratio of the squared errors with and
//     without the intervention on Gaussian numbers
// Suspected is what has ln left < ln(1 - kLeastExcess) by a one-sided t test over the blocks of positions
// (Benjamini–Hochberg at kFalseDiscoveryRate over all linears and causes). By item, then cause.
// Throws as score_treatments().
std::vector<ScreenedCause> screen_causes(const Model& model, const Engine& engine,
                                         std::span<const EvaluationWindow> windows,
                                         const NumberFormat& format, std::span<const ScreenedLinear> linears,
                                         std::uint64_t seed);

// Treatments that screen_causes() scores at most.
inline constexpr std::size_t kScreenedChanges = 6;

}  // namespace assay
