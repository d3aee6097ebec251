// The verb activations.
#include "base/error.h"
#include "measure/activation_result.h"
#include "workflow/session.h"
#include "workflow/workflow.h"

namespace assay {
namespace {

// The selected items that sit in blocks: what is outside has no input there.
std::vector<std::size_t> items_in_blocks(Session& session, const std::string& expression) {
    std::vector<std::size_t> items = session.select_items(expression);
    std::erase_if(items, [&](std::size_t i) { return session.model().items()[i].block < 0; });
    if (items.empty()) {
        throw InvalidArgument("--linears '" + expression +
                              "' names nothing inside the blocks; activations are of the blocks' linears");
    }
    return items;
}

}  // namespace

Envelope measure_activations(const ActivationsOptions& options, Progress& progress,
                             const CancelToken& cancel) {
    Session session(options.model, progress, cancel);
    const auto items = items_in_blocks(session, options.linears);
    const bool own_text = options.text.text || options.text.ids;
    const std::vector<EvaluationWindow> windows =
        own_text ? session.evaluation(options.text).windows : session.calibration(options.calibration);
    const Model& model = session.model();
    session.prepare({{.model = &model,
                      .windows = windows,
                      .predicts = false,
                      .tap_bytes = activation_bytes(model, items)}});
    const Activations activations = measure_activations(model, session.engine(), windows, items);
    return session.finish(activations_result(model, activations, windows));
}

}  // namespace assay
