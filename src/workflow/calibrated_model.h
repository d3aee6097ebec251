// A model treated as a whole by a calibrated method, ready to be measured.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "treat/encoded_folder.h"
#include "workflow/session.h"

namespace assay {

// The windows of a JSON array of token ids, checked against the model and noted in the settings. Throws
// FormatError for other files.
std::vector<EvaluationWindow> calibration_of_ids(Session& session, const std::filesystem::path& ids);

// What treating the session's model on these windows will take; `gradients`: by a method that looks at them.
Workload calibration_workload(Session& session, std::span<const EvaluationWindow> calibration,
                              bool gradients = false);

// Treats all linears of the model's blocks, block after block (treat/sequential.h), after Session::prepare().
// A run that was interrupted goes on at the last finished block.
std::unique_ptr<EncodedFolder> treat_model(Session& session, const Treatment& treatment,
                                           std::span<const EvaluationWindow> calibration);

}  // namespace assay
