// The weights' part of the pages.
#pragma once

#include <string>
#include <string_view>

#include "records/diagnose.h"
#include "records/weights.h"

namespace assay {

// All of the page of assay weights between its header and the settings.
std::string weight_sections(const WeightsResult& result);

// How the numbers on that page are defined.
std::string_view weight_definitions();

// In a diagnosis: sweeps, outliers, and pictures of the linears that cost most.
std::string weight_sections(const DiagnoseResult& result);

}  // namespace assay
