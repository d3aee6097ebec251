// The verb activations.
#include "base/error.h"
#include "measure/activation_result.h"
#include "workflow/session.h"
#include "workflow/workflow.h"

namespace assay {

Envelope measure_activations(const ActivationsOptions& options, Progress& progress,
                             const CancelToken& cancel) {
    Session session(options.model, progress, cancel);
    const auto items = session.select_items(options.linears);
    const bool own_text = options.text.text || options.text.ids;
    const std::vector<EvaluationWindow> windows =
        own_text ? session.evaluation(options.text).windows : session.calibration(options.calibration);
    const Model& model = session.model();
    session.prepare({activations_workload(model, session.engine().backend, windows, items)});
    const Activations activations = measure_activations(model, session.engine(), windows, items);
    return session.finish(activations_result(model, activations, windows));
}

}  // namespace assay
