// The tests of findings: which causes the swaps of experiments show, on either half of the windows.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "analyze/experiments.h"
#include "analyze/paired_gain.h"
#include "records/block_sums.h"

namespace assay {

// A swap's blocks in the windows that decide and in those held out.
struct Halves {
    std::vector<BlockSums> decided, held_out;
};
Halves split(const std::vector<BlockSums>& blocks, std::int64_t first_held_out);

// One cause's test on one linear.
struct TestedCause {
    std::size_t linear = 0;  // index into the plans
    std::string cause;
    std::size_t remedy = 0;            // index into the plan's remedies: the intervention alone
    std::vector<std::size_t> fitting;  // remedies that may be offered
    std::string sentence;              // between the gain and the twin's: what they are of
    std::size_t draws = 0;
    CauseTest test, held_out;  // of either half by itself
    double q_value = 1;
    bool claimed = false;
};

// The swaps of these plans, by index. Damage below `noise_floor` (nats per token) counts as that much.
struct MeasuredPlans {
    std::span<const LinearPlan> plans;
    std::span<const Halves> swaps;
    double noise_floor = 0;
};

// Claimed is what test_cause(), with the margin kLeastExcess, shows on both halves: on the deciding one among
// all tests (Benjamini–Hochberg at kFalseDiscoveryRate), on the held-out one at kHeldOutLevel by itself.
// The luck of draws is pooled over all tests; of GPTQ's ratio it is that of two independent draws of errors,
// known from noise of the same size.
std::vector<TestedCause> test_causes(const MeasuredPlans& measured);

inline constexpr double kHeldOutLevel = 0.05;

// The treatment's real errors beside noise of the same size in each row, draw by draw, where decided.
std::vector<LogRatio> noise_ratios(const MeasuredPlans& measured, const LinearPlan& plan);

}  // namespace assay
