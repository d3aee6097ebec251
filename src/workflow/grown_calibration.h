// Calibration on more and more windows, until more are measured to bring nothing.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "records/calibration_growth.h"
#include "treat/encoded_folder.h"
#include "workflow/session.h"

namespace assay {

inline constexpr std::size_t kFirstGrowth = 4;  // windows of the first step; each next one has twice as many
inline constexpr std::size_t kMostHeldOut = 8;  // windows that are measured on: a quarter, up to so many
inline constexpr double kLeastGrowthGain = 0.02;  // of the KL before: what another step must be worth

// A model treated block after block.
struct TreatedModel {
    std::unique_ptr<EncodedFolder> weights;
    std::vector<GrowthStep> growth;  // where its calibration grew
};

using TreatOn = std::function<std::unique_ptr<EncodedFolder>(std::span<const EvaluationWindow>)>;

// How many of so many windows are held out, and how many the steps can calibrate on at most, in their order.
std::size_t growth_held_out(std::size_t windows);
std::vector<std::size_t> growth_sizes(std::size_t windows);

// Treats the session's model with the first 4, 8, 16, … of the windows (all that are not held out at last),
// and measures each step's mean KL on the last ones, which no step calibrates on. Stops where the gain of a
// step is not shown (the paired 95 % interval of its share holds 0) or less than a fiftieth. The result is
// the step with the least KL. `treat` treats the model on so many windows. Throws InvalidArgument for fewer
// than two windows; else as treat() and measure_runs().
TreatedModel grow_calibration(Session& session, std::span<const EvaluationWindow> calibration,
                              const TreatOn& treat);

}  // namespace assay
