// Calibration sets: from what a user names to windows of a model's tokens, and what results say of them.
#pragma once

#include <filesystem>
#include <span>
#include <vector>

#include "base/evaluation_window.h"
#include "model/model.h"
#include "records/calibration.h"
#include "text/calibration.h"
#include "text/tokenizer.h"
#include "workflow/options.h"

namespace assay {

struct Calibration {
    std::vector<EvaluationWindow> windows;
    CalibrationRecord record;
    std::vector<std::filesystem::path> files;  // that were read
};

// Windows of at most the model's context, looked through for what may be wrong with them, an overlap with
// `evaluation` among it (none: with the built-in evaluation text). Throws as open_text_sources() and
// sample_windows(), and InvalidArgument where `options` name neither a built-in set nor a path.
Calibration build_calibration(const Model& model, const Tokenizer& tokenizer, const CalibrationText& options,
                              std::span<const EvaluationWindow> evaluation,
                              Documents documents = Documents::kAll);

}  // namespace assay
