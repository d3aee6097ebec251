// The result of `assay sensitivity`: each linear's damage, measured by treating it alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/interval.h"
#include "records/eval.h"
#include "records/perplexity.h"

namespace assay {

// Damage estimated from the reverse pass: docs/statistics.md.
struct ScoredDamage {
    double kl = 0;  // calibration · block_ratio · ½ Σ_b S_b² / T, nats per token
    std::optional<Interval> kl_ci95;
    double block_ratio = 1;  // ρ of the linear's projection
    double calibration = 1;  // by exact swaps of the same treatment; 1 where there were too few

    bool operator==(const ScoredDamage&) const = default;
};

// Shares of a linear's damage, by the scores; a part that makes up for others' damage has a negative one.
struct PartShare {
    std::int64_t index = 0;  // output row or input channel
    double share = 0;

    bool operator==(const PartShare&) const = default;
};

struct HeadShare {
    std::string part;  // "q", "k", "v": a head's rows; "o": its columns
    std::int64_t head = 0;
    double share = 0;

    bool operator==(const HeadShare&) const = default;
};

struct DamageParts {
    std::vector<PartShare> rows;     // the largest shares, largest first; all rows' sum to 1
    std::vector<PartShare> columns;  // the same of input channels
    std::vector<HeadShare> heads;    // all, by part and head; empty outside attention

    bool operator==(const DamageParts&) const = default;
};

// One linear treated, everything else reference. Deltas are treated - baseline on the same positions; only
// measured linears have them.
struct SensitivityLinear {
    std::string name;
    std::string treatment;
    std::string basis = "measured";   // "measured": an exact swap; "scored": an estimate
    double kl = 0;                    // damage: mean KL(reference || treated) per token, nats
    std::optional<Interval> kl_ci95;  // this and the other intervals: none with too few blocks of positions
    double share_of_damage = 0;       // kl / sum of kl over all linears
    std::optional<ScoredDamage> scored;  // beside the measured damage, too
    std::optional<DamageParts> parts;    // where asked for, of scored linears of blocks
    std::optional<double> delta_nll;     // nats per token
    std::optional<Interval> delta_nll_ci95;
    std::optional<double> delta_ppl;
    std::optional<Interval> delta_ppl_ci95;
    std::optional<double> relative_delta_ppl;  // delta_ppl / baseline ppl
    std::optional<Interval> relative_delta_ppl_ci95;
    std::int64_t rank = 0;              // 1: most damage
    std::string category;               // critical, high, moderate, low, none: see docs/results-schema.md
    std::string recommendation;         // what to try for this linear, in words
    std::optional<std::int64_t> block;  // none outside the decoder blocks
    std::string projection;             // "q_proj", "down_proj", "lm_head"
    std::string depth;  // first, early, middle, late, last; embedding or head outside the blocks
    std::int64_t parameters = 0;
    std::optional<double> relative_output_error;    // ||dY||_F / ||Y||_F, Y the output (with bias)
    std::optional<double> damage_per_output_error;  // kl / relative_output_error^2: how much the model cares
    // ||h_treated - h||_F / ||h||_F, h the hidden states after the linear's own block, then each later one.
    std::vector<double> propagation;
    // In the same blocks, share of positions that go to other experts; none in models without experts.
    std::optional<std::vector<double>> route_changes;
    std::optional<EvalComparison>
        task;                         // where swaps are measured by a task: this one's beside the reference
    std::vector<WindowSums> windows;  // with kl_sum; the baseline's nll_sum is in baseline.windows
    std::vector<BlockSums> blocks;  // the same sums, finer: the intervals come from these and the baseline's

    bool operator==(const SensitivityLinear&) const = default;
};

// A swap that changes nothing, run like the others: its kl must be exactly 0.
struct Control {
    double kl = 0;
    bool identical = false;  // every window's sums equal the baseline's, bit for bit

    bool operator==(const Control&) const = default;
};

// What the scores say of the blocks' linears treated together; nats per token.
struct PlanPrediction {
    std::string treatment;
    std::int64_t linears = 0;
    double kl_sum = 0;  // of the single damages as the results have them
    std::optional<Interval> kl_sum_ci95;
    double kl_interactions = 0;  // ρ · ½ Σ_b (Σ_i S_bi)² / T: of their changes added up
    std::optional<Interval> kl_interactions_ci95;

    bool operator==(const PlanPrediction&) const = default;
};

struct SensitivityResult {
    PerplexityResult baseline;  // the reference on the same windows
    std::string treatment;      // those asked for, separated by commas; a linear's own says what it got
    std::vector<SensitivityLinear> linears;  // treatment by treatment, each by rank
    std::optional<Control> control;          // where anything was measured
    // Treatment by treatment; none without scores.
    std::optional<std::vector<PlanPrediction>> together;
    std::optional<TaskBaseline> task;  // where swaps are measured by a task

    bool operator==(const SensitivityResult&) const = default;
};

}  // namespace assay
