// What verbs that compare models share.
#pragma once

#include <filesystem>
#include <vector>

#include "model/model.h"
#include "treat/treatment_overlay.h"
#include "workflow/session.h"

namespace assay {

// A second model, whose files become inputs of the session's results.
Model load_reference(Session& session, const std::filesystem::path& path);

// The one whose blocks take more memory and time.
const Model& larger(const Model& a, const Model& b);

// Those that a treatment of a whole model changes: runtimes keep embedding and head in 16 bits.
bool is_block_linear(const LinearItem& item);

// Those of the items, and a choice of exactly them.
std::vector<std::size_t> block_linears(const Model& model, std::vector<std::size_t> items);
TreatmentOverlay::Choice only_block_linears(const Model& model, const std::vector<std::size_t>& items);

}  // namespace assay
