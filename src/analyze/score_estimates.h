// Damage of every linear under every change, and of all of them together, estimated from one reverse pass.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "analyze/sensitivity.h"

namespace assay {

// One item under one treatment.
struct Swap {
    std::size_t item = 0;       // index into Model::items()
    std::size_t treatment = 0;  // index into the changes

    auto operator<=>(const Swap&) const = default;
};

struct ScoreEstimate {
    Swap swap;
    ScoredDamage damage;
};

struct ScoreEstimates {
    std::vector<ScoreEstimate> damages;  // by item, then treatment
    std::map<Swap, DamageParts> parts;
    std::vector<Swap> unscored;            // those that cannot be
    std::vector<PlanPrediction> together;  // by treatment: block linears; kl_sum of the damages as here
    std::vector<BlockSums> baseline;
};

// Scores (measure/treatment_scores.h) times ρ by projection, over all treatments (measure/damage_estimate.h),
// with 95 % intervals (stats/quadratic_interval.h). Throws as score_treatments().
ScoreEstimates estimate_scores(const Model& model, const Engine& engine,
                               std::span<const EvaluationWindow> windows,
                               std::span<const NamedChange> changes, const SensitivityOptions& options);

// The interval times a factor.
std::optional<Interval> scaled(const std::optional<Interval>& interval, double factor);

}  // namespace assay
