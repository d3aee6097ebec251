// What a model's damages have in common: where in the depth they sit, what predicts them, how they come
// about.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/interval.h"

namespace assay {

// Linears of one kind beside all others: mean damage of the kind / mean damage of the others.
struct DamagePattern {
    std::string kind;  // "first_and_last_blocks", "first_block", "last_block", or a projection: "down_proj"
    std::int64_t linears = 0;
    double ratio = 0;
    std::optional<Interval> ratio_ci95;
    double p_value = 1;  // two-sided permutation test

    bool operator==(const DamagePattern&) const = default;
};

// Blocks left as they are, all others' linears treated.
struct KeptBlocks {
    std::vector<std::int64_t> blocks;
    double kl = 0;    // damage of the model so treated, nats per token
    double gain = 0;  // damage of the whole model treated - kl
    std::optional<Interval> gain_ci95;
    double gain_share = 0;  // gain / damage of the whole model treated

    bool operator==(const KeptBlocks&) const = default;
};

// The classic advice, measured: the first two and the last two blocks kept, beside random ones of as many
// bytes.
struct EdgeAdvice {
    KeptBlocks edges;
    std::vector<KeptBlocks> random;
    double advantage = 0;  // gain of the edges - mean gain of the random ones, nats per token
    std::optional<Interval> advantage_ci95;
    bool holds = false;  // the interval lies above 0, and no random choice gains more

    bool operator==(const EdgeAdvice&) const = default;
};

// Spearman's rank correlation of something cheap with the damage, over linears.
struct Indicator {
    std::string name;  // "weight_error", "range_ratio", "kurtosis", "activation_ratio", "output_error", …
    std::int64_t linears = 0;
    double spearman = 0;
    std::optional<Interval> spearman_ci95;

    bool operator==(const Indicator&) const = default;
};

// damage = rounding^2 · care: how badly the linear rounds, and how much the model cares.
struct DamageFactors {
    std::string linear;
    double output_error = 0;  // rounding: ||X dW^T|| / ||X W^T|| over the windows' inputs X
    double care = 0;          // damage / output_error^2, as a multiple of the median of all linears

    bool operator==(const DamageFactors&) const = default;
};

struct PatternsResult {
    std::vector<DamagePattern> depth;
    std::vector<DamagePattern> projections;
    std::optional<EdgeAdvice> advice;  // none in models of fewer than 8 blocks
    std::vector<Indicator> indicators;
    std::vector<DamageFactors> factors;  // in model order

    bool operator==(const PatternsResult&) const = default;
};

}  // namespace assay
