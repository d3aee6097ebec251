// Sensitivity: how much damage each linear does, treated alone; measured, scored, or scored and then measured
// where it matters.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/pass.h"
#include "records/sensitivity.h"
#include "records/treatment.h"

namespace assay {

enum class SensitivityMethod { kExact, kScore, kHybrid };

struct SensitivityOptions {
    std::vector<Treatment> treatments;
    std::vector<std::size_t> items;  // indexes into Model::items()
    SensitivityMethod method = SensitivityMethod::kExact;
    // Of hybrid, for each treatment: swaps of the worst by score, and at most so many more of those whose
    // interval holds a border between categories, the most damaging first.
    std::size_t top = 4;
    std::size_t borderline = 1;
    // Of hybrid: windows that are scored and measured; the others only as long as swaps are undecided. 0:
    // all.
    std::size_t first_windows = 0;
    double noise_floor = 0;                         // damage that rounding alone makes, nats per token
    std::uint64_t seed = 0;                         // of the labels and the intervals
    std::span<const EvaluationWindow> calibration;  // of treatments that are calibrated
    bool parts = false;  // tell scored linears' damage by row, channel and head (measure/attribution.h)
};

// Rows and channels that a record of a linear's parts keeps: those with the largest shares.
inline constexpr std::size_t kKeptParts = 10;

// Every item under every treatment, ranked within its treatment (analyze/ranking.h).
//   exact: all are swaps (analyze/swap_sweep.h).
//   score: all are estimates from the reverse pass: ρ · ½ Σ_b S_b² / T (measure/damage_estimate.h), ρ by
//     projection, with 95 % intervals (stats/quadratic_interval.h). Items that cannot be scored are measured.
//   hybrid: scores; then exact swaps on the same windows of what `top` and `borderline` choose, then on as
//   many
//     windows again while two neighbours in a treatment's measured ranking are undecided
//     (swaps_undecided()). Where at least kCalibrationSwaps of a treatment's swaps are above the noise floor,
//     its scores are multiplied by the geometric mean of measured / scored damage. Scores do not see that
//     tokens change their experts. In models with experts, kProbes linears of each projection under each
//     treatment are measured, from the most to the least damaging; where the geometric mean of their measured
//     / scored damage lies outside [kLeastScoreRatio, kMostScoreRatio], all of that projection are.
// Throws InvalidArgument for no items, treatments or windows, as sweep_swaps() and score_treatments() do
// otherwise.
SensitivityResult measure_sensitivity(const Model& model, const Engine& engine,
                                      std::span<const EvaluationWindow> windows,
                                      const SensitivityOptions& options);

inline constexpr std::size_t kCalibrationSwaps = 3;
inline constexpr std::size_t kProbes = 3;
inline constexpr double kLeastScoreRatio = 0.8, kMostScoreRatio = 1.25;

// Whether two swaps' order by damage is open: the paired 95 % interval of the difference of their mean KLs
// holds 0, and half its width is more than kCloseDamage of the larger one. Blocks of the same positions.
bool swaps_undecided(std::span<const BlockSums> a, std::span<const BlockSums> b, std::uint64_t seed);
inline constexpr double kCloseDamage = 0.1;

// A change of weights, and what results call it.
struct NamedChange {
    std::string name;
    const WeightOverlay* overlay = nullptr;  // treats all of the items
};

// The same of any changes, in place of options.treatments.
SensitivityResult measure_changes(const Model& model, const Engine& engine,
                                  std::span<const EvaluationWindow> windows,
                                  std::span<const NamedChange> changes, const SensitivityOptions& options);

// One item's swap asked the naive way: a whole run of the swapped model beside a whole run of the reference.
// Slow; the check of the sweep and its benchmark. Returns the swapped run's block sums.
std::vector<BlockSums> measure_swap_naively(const Model& model, const Engine& engine,
                                            std::span<const EvaluationWindow> windows,
                                            const Treatment& treatment, std::size_t item);

}  // namespace assay
