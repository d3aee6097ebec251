// The verb weights: what needs no text.
#include "base/error.h"
#include "measure/activations.h"
#include "treat/weight_errors.h"
#include "workflow/session.h"
#include "workflow/workflow.h"

namespace assay {
namespace {

WeightLook look_of(const WeightsOptions& options) {
    const std::string& sweep = options.sweep;
    if (sweep != "none" && sweep != "groups" && sweep != "clip" && sweep != "all")
        throw InvalidArgument("--sweep " + sweep + " is unknown; groups, clip, all and none exist");
    const bool clips = sweep == "clip" || sweep == "all";
    if (options.calibration && !clips)
        throw InvalidArgument("--calibration goes with --sweep clip or all: nothing else needs text");
    if (!(options.range_ratio >= 1)) throw InvalidArgument("--range-ratio is a number from 1 on");
    return {.group_sweep = sweep == "groups" || sweep == "all",
            .clip_sweep = clips,
            .histograms = options.histograms,
            .range_ratio_limit = options.range_ratio};
}

// What the items read on the calibration windows.
Activations input_statistics(Session& session, const CalibrationText& text,
                             std::span<const std::size_t> items) {
    const std::vector<EvaluationWindow> windows = session.calibration(text);
    const Model& model = session.model();
    session.prepare(
        {activations_workload(model, session.engine().backend, windows, items, ActivationSides::kInputs)});
    session.begin_part("activations");
    const Engine engine = session.engine();
    Activations inputs = measure_activations(model, engine, windows, items, ActivationSides::kInputs);
    session.begin_part("weights");
    return inputs;
}

}  // namespace

Envelope measure_weights(const WeightsOptions& options, Progress& progress, const CancelToken& cancel) {
    WeightLook look = look_of(options);
    Session session(options.model, progress, cancel);
    const Treatment treatment = parse_treatment(options.treatment);
    if (treatment.activations)
        throw InvalidArgument("assay weights reads weights alone: give a --treatment without activations");
    session.set("treatment", to_string(treatment));
    session.set("sweep", options.sweep);
    session.set("histograms", options.histograms);
    session.set("range_ratio", options.range_ratio);
    const auto items = session.select_items(options.linears);
    std::optional<Activations> inputs;
    if (options.calibration)
        look.inputs = &inputs.emplace(input_statistics(session, *options.calibration, items));
    return session.finish(measure_weight_errors(session.model(), items, treatment, session.engine(), look));
}

}  // namespace assay
