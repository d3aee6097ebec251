// What a diagnosis means, in sentences; the terminal and the page say the same.
#pragma once

#include <string>
#include <vector>

#include "records/blame.h"
#include "records/diagnose.h"

namespace assay {

// A loud sentence where the no-swap control changed something, so that no number below it can be trusted.
std::vector<std::string> warnings_of(const SensitivityResult& result);

// What treating all linears together will do, and how many tokens change their experts. Plain text.
std::vector<std::string> conclusions_of(const SensitivityResult& result);

// Where the damage sits, whether weight errors tell it, and what to do next. Plain text.
std::vector<std::string> conclusions_of(const DiagnoseResult& result);

// How the tensors' damages explain the checkpoint's, and what differs besides its linears. Plain text.
std::vector<std::string> conclusions_of(const BlameResult& result);

}  // namespace assay
