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
    std::size_t top = 5;
    std::size_t borderline = 1;
    double noise_floor = 0;  // damage that rounding alone makes, nats per token
    std::uint64_t seed = 0;  // of the labels and the intervals
    bool parts = false;      // tell scored linears' damage by row, channel and head (measure/attribution.h)
};

// Rows and channels that a record of a linear's parts keeps: those with the largest shares.
inline constexpr std::size_t kKeptParts = 10;

// Every item under every treatment, ranked within its treatment (analyze/ranking.h).
//   exact: all are swaps (analyze/swap_sweep.h).
//   score: all are estimates from the reverse pass: ρ · ½ Σ_b S_b² / T (measure/damage_estimate.h), ρ by
//     projection, with 95 % intervals (stats/quadratic_interval.h). Items that cannot be scored are measured.
//   hybrid: scores; then exact swaps on the same windows of what `top` and `borderline` choose. Where at
//   least
//     kCalibrationSwaps of a treatment's swaps are above the noise floor, its scores are multiplied by the
//     geometric mean of measured / scored damage.
// Throws InvalidArgument for no items, treatments or windows, as sweep_swaps() and score_treatments() do
// otherwise.
SensitivityResult measure_sensitivity(const Model& model, const Engine& engine,
                                      std::span<const EvaluationWindow> windows,
                                      const SensitivityOptions& options);

inline constexpr std::size_t kCalibrationSwaps = 3;

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
