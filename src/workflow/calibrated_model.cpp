#include "workflow/calibrated_model.h"

#include <fmt/format.h>

#include <chrono>

#include "base/error.h"
#include "base/mapped_file.h"
#include "text/windows.h"
#include "treat/sequential.h"

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

Workload calibration_workload(Session& session, std::span<const EvaluationWindow> calibration,
                              bool gradients) {
    return {.model = &session.model(), .windows = calibration, .calibrated = true, .gradients = gradients};
}

std::unique_ptr<EncodedFolder> treat_model(Session& session, const Treatment& treatment,
                                           std::span<const EvaluationWindow> calibration) {
    SequentialOptions options{.treatment = treatment, .items = {}, .folder = session.kept_folder("weights")};
    const auto& items = session.model().items();
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (items[i].role == LinearItem::Role::kBlock) options.items.push_back(i);
    }
    return treat_sequentially(session.model(), session.engine(), calibration, options);
}

}  // namespace assay
