// What a calibrated treatment did, in sentences.
#pragma once

#include <string>
#include <vector>

#include "records/calibrated_linear.h"
#include "records/calibration_growth.h"

namespace assay {

// How the linears were treated, and each that could not be as it should. Plain text; none for no linears.
std::vector<std::string> calibration_facts(const std::vector<CalibratedLinear>& linears);

// How the calibration grew, in a sentence; empty for no steps.
std::string growth_fact(const std::vector<GrowthStep>& steps);

}  // namespace assay
