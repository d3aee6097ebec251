// The result of `assay diagnose`: the other results together, and what they say about each other.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "records/activations.h"
#include "records/findings.h"
#include "records/patterns.h"
#include "records/perplexity.h"
#include "records/sensitivity.h"
#include "records/weights.h"

namespace assay {

// The worst linears, as many as the name says, at least one.
struct DamageShare {
    std::vector<std::string> linears;
    double share_of_damage = 0;  // the sum of their share_of_damage

    bool operator==(const DamageShare&) const = default;
};

struct DamageShares {
    DamageShare worst_5_percent;
    DamageShare worst_10_percent;

    bool operator==(const DamageShares&) const = default;
};

struct DiagnoseResult {
    PerplexityResult perplexity;   // the reference model
    PerplexityResult all_treated;  // every linear treated, compared with the reference
    WeightsResult weights;
    SensitivityResult sensitivity;
    DamageShares shares;
    // Spearman's rank correlation of relative_error and kl over the linears; none for fewer than three
    // linears.
    std::optional<double> rank_correlation_weight_error_damage;
    std::optional<std::vector<Finding>> findings;  // analyze/findings.h; none in results of older versions
    std::optional<ActivationsResult> activations;  // of the same windows; likewise, as the next
    std::optional<PatternsResult> patterns;

    bool operator==(const DiagnoseResult&) const = default;
};

}  // namespace assay
