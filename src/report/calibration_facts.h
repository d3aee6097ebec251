// What a calibrated treatment did, in sentences.
#pragma once

#include <string>
#include <vector>

#include "records/calibrated_linear.h"

namespace assay {

// How the linears were treated, and each that could not be as it should. Plain text; none for no linears.
std::vector<std::string> calibration_facts(const std::vector<CalibratedLinear>& linears);

}  // namespace assay
