#include "workflow/grown_calibration.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "analyze/paired_gain.h"
#include "base/error.h"
#include "measure/runs.h"
#include "measure/summary.h"

namespace assay {
namespace {

// Whether another step may pay: the last one did, and it is shown.
bool goes_on(const GrowthStep& step) {
    const bool shown = !step.gain_ci95 || step.gain_ci95->low > 0;
    return !step.gain || (shown && *step.gain >= kLeastGrowthGain);
}

std::vector<BlockSums> damage_on(Session& session, std::span<const EvaluationWindow> windows,
                                 const WeightOverlay& treated) {
    const std::vector<Run> runs{{&session.model(), nullptr}, {&session.model(), &treated}};
    return measure_runs(session.engine(), windows, runs, {})[1].blocks;
}

}  // namespace

std::size_t growth_held_out(std::size_t windows) {
    return std::clamp<std::size_t>(windows / 4, 1, kMostHeldOut);
}

std::vector<std::size_t> growth_sizes(std::size_t windows) {
    const std::size_t most = windows - growth_held_out(windows);
    std::vector<std::size_t> sizes;
    for (std::size_t n = kFirstGrowth; n < most; n *= 2) sizes.push_back(n);
    sizes.push_back(most);
    return sizes;
}

TreatedModel grow_calibration(Session& session, std::span<const EvaluationWindow> calibration,
                              const TreatOn& treat) {
    if (calibration.size() < 2)
        throw InvalidArgument("grow measures on windows that it does not calibrate on: it needs two or more");
    const auto held_out = calibration.last(growth_held_out(calibration.size()));
    TreatedModel out;
    std::vector<BlockSums> before;
    double least = std::numeric_limits<double>::infinity();
    for (const std::size_t n : growth_sizes(calibration.size())) {
        auto weights = treat(calibration.first(n));
        auto now = damage_on(session, held_out, *weights);
        GrowthStep step{.windows = static_cast<std::int64_t>(n),
                        .kl = mean_kl(now),
                        .gain = std::nullopt,
                        .gain_ci95 = std::nullopt};
        if (!before.empty()) {
            const PairedGain gain = paired_gain(before, now, 0);
            step.gain = gain.share;
            step.gain_ci95 = gain.share_ci95;
        }
        session.engine().progress.note(fmt::format("calibrated on {} windows: KL {:.4g} on {} held-out ones",
                                                   n, step.kl, held_out.size()));
        if (step.kl < least) {
            least = step.kl;
            for (GrowthStep& earlier : out.growth) earlier.chosen = false;
            step.chosen = true;
            out.weights = std::move(weights);
        }
        out.growth.push_back(step);
        if (!goes_on(step)) break;
        before = std::move(now);
    }
    return out;
}

}  // namespace assay
