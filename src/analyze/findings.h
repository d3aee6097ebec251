// Findings: why linears lose what they lose under a treatment, shown by interventions, and what mends it.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "analyze/weight_findings.h"
#include "measure/run_cost.h"
#include "model/pass.h"
#include "records/findings.h"
#include "records/sensitivity.h"
#include "records/treatment.h"

namespace assay {

struct FindingsOptions {
    Treatment treatment;             // one of the sensitivity's
    std::vector<std::size_t> items;  // looked at: indexes into Model::items()
    std::size_t most = 5;            // linears whose damage is explained by swaps, the worst
    double noise_floor = 0;          // damage that rounding alone makes, nats per token
    std::uint64_t seed = 0;
    const std::map<std::size_t, WeightVerdict>& verdicts;  // look_at_weight() of each item
    // For GPTQ's statistics; other ones than those that measure. None: its causes are left out.
    std::span<const EvaluationWindow> calibration;
};

// Of all items: "numerics" (quantize/weight_checks.h) and "already_quantized" (stored in a type of few bits,
// or on a grid). Of those that `sensitivity` measured and that do not rise above the noise floor:
// "no_measurable_damage". Scores of all linears of blocks nominate (analyze/nomination.h); swaps, all in one
// sweep (analyze/experiments.h), decide: of the worst `most` linears that the sensitivity measured and that
// rise above the noise floor, and of the suspects:
//
//   salient_channels, weight_outliers, varying_range, wasted_range: claimed where the intervention takes more
//     of the damage away than on the null twin, by kLeastExcess of what is left at least, on both halves of
//     the windows (analyze/cause_tests.h)
//   correlated_inputs: of the worst ones, in integer formats: claimed where GPTQ, with the inputs' statistics
//     of the calibration windows, does less damage than round to nearest, by as much and in the same tests
//   starved_calibration: of the worst ones: GPTQ takes at least kCalibrationGain of the squared output error
//     away on the calibration windows, and on the measured ones, by a 95 % interval over windows, less than
//     half of that share
//   only_bits_help: of the worst ones, none of these; no cause's scores and swaps leave room for a quarter of
//     the damage; the weights are on no coarse grid; and damage / damage of noise of the same size in each
//     row has a 95 % interval that holds 1 and lies within [1/2, 2]
//
// The first half of the windows nominates, with the channels' energies; the gains of remedies are measured on
// the second, with the real errors. The remedy named is the cheapest in bytes of those that fit the cause
// whose gain's interval lies above 0 and that gain at least half of the best one; where none does, of those
// that spend bits. A linear's claims come by what they leave of the damage beside what they leave of it on
// the twins; linears by damage, then suspects, checks of the weights last, in model order. With fewer than
// two windows the swaps are left out. Throws: InvalidArgument for a treatment that is not round-to-nearest,
// else as sweep_swaps().
std::vector<Finding> find_causes(const Model& model, const Engine& engine,
                                 std::span<const EvaluationWindow> windows,
                                 const SensitivityResult& sensitivity, const FindingsOptions& options);

// What the reverse pass and the swaps of find_causes() will take: which linears is not known before, so the
// largest; nothing without any.
std::vector<Workload> findings_workload(const Model& model, std::span<const std::size_t> items,
                                        std::int64_t most, std::span<const EvaluationWindow> windows);

}  // namespace assay
