#include "workflow/calibrated_model.h"

#include <fmt/format.h>

#include <chrono>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/mapped_file.h"
#include "measure/activations.h"
#include "text/windows.h"
#include "treat/input_scales.h"
#include "treat/sequential.h"
#include "workflow/other_models.h"

namespace assay {

std::vector<EvaluationWindow> calibration_of_ids(Session& session, const std::filesystem::path& ids) {
    const ModelConfig& config = session.model().config();
    std::vector<EvaluationWindow> windows = parse_ids(read_file(ids), ids.string(), config.vocabulary);
    if (longest_window(windows) > config.max_positions) {
        throw InvalidArgument(
            fmt::format("{}: a window of {} tokens is longer than the model's context of {}", ids.string(),
                        longest_window(windows), config.max_positions));
    }
    session.add_input(ids);
    session.set("calibration", "ids of " + ids.string());
    session.set("calibration_windows", windows.size());
    session.set("calibration_sha256", windows_sha256(windows));
    return windows;
}

Workload calibration_workload(Session& session, const Treatment& treatment,
                              std::span<const EvaluationWindow> calibration) {
    return {.model = &session.model(),
            .windows = calibration,
            .calibrated = true,
            .gradients = method_of(treatment).gradients,
            .scalings = scales_inputs(treatment) ? kAwqSteps : 0};
}

namespace {

std::vector<std::size_t> all_block_linears(const Model& model) {
    std::vector<std::size_t> all(model.items().size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    return block_linears(model, std::move(all));
}

}  // namespace

Workload ranges_workload(Session& session, std::span<const EvaluationWindow> calibration) {
    const Model& model = session.model();
    return activations_workload(model, session.engine().backend, calibration, all_block_linears(model));
}

std::unique_ptr<RoundedInputs> treat_inputs(Session& session, const Treatment& treatment,
                                            std::span<const EvaluationWindow> calibration) {
    const Model& model = session.model();
    const std::vector<Treatment> treatments{treatment};
    return std::move(
        calibrate_inputs(model, session.engine(), calibration, all_block_linears(model), treatments).front());
}

std::unique_ptr<EncodedFolder> treat_model(Session& session, const Treatment& treatment,
                                           std::span<const EvaluationWindow> calibration,
                                           const std::string& kept) {
    const SequentialOptions options{.treatment = treatment,
                                    .items = all_block_linears(session.model()),
                                    .folder = session.kept_folder(kept)};
    return treat_sequentially(session.model(), session.engine(), calibration, options);
}

}  // namespace assay
