// The verb eval.
#include <utility>

#include "base/error.h"
#include "measure/task_answers.h"
#include "text/windows.h"
#include "treat/treatment_overlay.h"
#include "workflow/other_models.h"
#include "workflow/posed_task.h"
#include "workflow/workflow.h"

namespace assay {
namespace {

// The runs on the same windows; the first is the reference of a second.
EvalResult result_of(Session& session, const PosedTask& posed, const std::vector<Run>& runs) {
    session.prepare({task_workload(posed, runs)});
    const auto scores = ask(session.engine(), posed, runs);
    const auto& [task, metric, shots, files] = posed.loaded;
    EvalResult result = runs.size() > 1 ? eval_result(task, metric, scores[0].blocks, scores[1].blocks)
                                        : eval_result(task, metric, scores[0].blocks);
    result.shots = shots;
    result.shortened = posed.text.shortened;
    return result;
}

}  // namespace

Envelope measure_task(const EvalOptions& options, Progress& progress, const CancelToken& cancel) {
    if (options.against && options.treatment)
        throw InvalidArgument("give --against or --treatment, not both");
    LoadedTask loaded = load_task(options);
    Session session(options.model, progress, cancel);
    const PosedTask posed = pose_task(session, options, std::move(loaded));
    session.set("windows_sha256", windows_sha256(posed.text.windows));
    const Model& model = session.model();
    if (options.against) {
        session.set("against", options.against->string());
        const Model reference = load_reference(session, *options.against);
        return session.finish(result_of(session, posed, {{&reference, nullptr}, {&model, nullptr}}));
    }
    if (options.treatment) {
        const Treatment treatment = parse_treatment(*options.treatment);
        session.set("treatment", to_string(treatment));
        const TreatmentOverlay overlay(treatment, is_block_linear);
        return session.finish(result_of(session, posed, {{&model, nullptr}, {&model, &overlay}}));
    }
    return session.finish(result_of(session, posed, {{&model, nullptr}}));
}

}  // namespace assay
