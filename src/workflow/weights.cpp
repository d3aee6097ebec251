// The verb weights: what needs no text.
#include "base/error.h"
#include "treat/weight_errors.h"
#include "workflow/session.h"
#include "workflow/workflow.h"

namespace assay {
namespace {

WeightLook look_of(const WeightsOptions& options) {
    const std::string& sweep = options.sweep;
    if (sweep != "none" && sweep != "groups" && sweep != "clip" && sweep != "all")
        throw InvalidArgument("--sweep " + sweep + " is unknown; groups, clip, all and none exist");
    if (!(options.range_ratio >= 1)) throw InvalidArgument("--range-ratio is a number from 1 on");
    return {.group_sweep = sweep == "groups" || sweep == "all",
            .clip_sweep = sweep == "clip" || sweep == "all",
            .histograms = options.histograms,
            .range_ratio_limit = options.range_ratio};
}

}  // namespace

Envelope measure_weights(const WeightsOptions& options, Progress& progress, const CancelToken& cancel) {
    const WeightLook look = look_of(options);
    Session session(options.model, progress, cancel);
    const Treatment treatment = parse_treatment(options.treatment);
    if (treatment.activations)
        throw InvalidArgument("assay weights reads weights alone: give a --treatment without activations");
    session.set("treatment", to_string(treatment));
    session.set("sweep", options.sweep);
    session.set("histograms", options.histograms);
    session.set("range_ratio", options.range_ratio);
    const auto items = session.select_items(options.linears);
    return session.finish(measure_weight_errors(session.model(), items, treatment, session.engine(), look));
}

}  // namespace assay
