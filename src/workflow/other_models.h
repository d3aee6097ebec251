// What verbs that compare models share.
#pragma once

#include <filesystem>

#include "model/model.h"
#include "workflow/session.h"

namespace assay {

// A second model, whose files become inputs of the session's results.
Model load_reference(Session& session, const std::filesystem::path& path);

// The one whose blocks take more memory and time.
const Model& larger(const Model& a, const Model& b);

// Those that a treatment of a whole model changes: runtimes keep embedding and head in 16 bits.
bool is_block_linear(const LinearItem& item);

}  // namespace assay
