// Ranks measured linears and says what to do about each.
#pragma once

#include <string>
#include <vector>

#include "records/diagnose.h"
#include "records/sensitivity.h"
#include "records/weights.h"

namespace assay {

// Sorts by damage (largest first, names on ties) and fills rank, share_of_damage, category and
// recommendation.
//   none:      the damage's interval reaches the noise floor (0 where none was measured) or below: no
//   measurable
//              damage
//   critical:  at least 8 times the mean damage of the linears
//   high:      at least 2 times; moderate: at least half; low: below
// Without an interval (fewer than two blocks) the damage itself must be above it.
void rank_linears(std::vector<SensitivityLinear>& linears, double noise_floor = 0);

// Whether an interval of a linear's damage lies in more than one category, the linears' mean damage being
// `mean`.
bool holds_category_border(const std::optional<Interval>& interval, double mean);

// Where in the model a block is: first, early, middle, late (thirds of what is between), last.
std::string depth_name(std::int64_t block, std::int64_t blocks);

// The worst 5 and 10 % (rounded up) of ranked linears and the share of all damage that they cause.
DamageShares damage_shares(const std::vector<SensitivityLinear>& ranked);

// Spearman correlation of relative weight error and damage over linears in both; none for fewer than three.
std::optional<double> weight_error_correlation(const std::vector<WeightsLinear>& weights,
                                               const std::vector<SensitivityLinear>& linears);

}  // namespace assay
