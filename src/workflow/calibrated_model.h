// A model treated as a whole by a calibrated method, ready to be measured.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "treat/rounded_inputs.h"
#include "workflow/grown_calibration.h"
#include "workflow/session.h"

namespace assay {

// The windows of a JSON array of token ids, checked against the model and noted in the settings. Throws
// FormatError for other files.
std::vector<EvaluationWindow> calibration_of_ids(Session& session, const std::filesystem::path& ids);

// What treating the session's model on these windows so will take: its weights, or its linears' inputs.
std::vector<Workload> calibration_work(Session& session, const Treatment& treatment,
                                       std::span<const EvaluationWindow> calibration);

// The model's blocks with their linears' inputs rounded (treat/rounded_inputs.h), after Session::prepare().
std::unique_ptr<RoundedInputs> treat_inputs(Session& session, const Treatment& treatment,
                                            std::span<const EvaluationWindow> calibration);

// Treats all linears of the model's blocks, block after block (treat/sequential.h), after Session::prepare().
// With the option grow on as many windows as are measured to pay (workflow/grown_calibration.h). `seed` is of
// the labels that methods with gradients draw. A run that was interrupted goes on at the last finished block;
// `kept` names its folder among the kept ones.
TreatedModel treat_model(Session& session, const Treatment& treatment,
                         std::span<const EvaluationWindow> calibration, std::uint64_t seed,
                         const std::string& kept = "weights");

}  // namespace assay
