// How the damage fell as a treatment was calibrated on more windows.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/interval.h"

namespace assay {

// Calibrated on the first `windows`, measured on windows that no step calibrates on.
struct GrowthStep {
    std::int64_t windows = 0;
    double kl = 0;  // mean KL(reference || treated) per token, nats
    // Share of the KL before that the windows since the step before took away, paired; none of the first
    // step.
    std::optional<double> gain;
    std::optional<Interval> gain_ci95;
    bool chosen = false;  // the step whose weights are the result's

    bool operator==(const GrowthStep&) const = default;
};

}  // namespace assay
