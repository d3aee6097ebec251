// The page's line and point figures.
#pragma once

#include <string>
#include <vector>

#include "records/diagnose.h"

namespace assay {

// An <svg> of how far the error of the first `lines` linears (those with propagation, in rank order) has
// grown after each block: log10 of ||h_treated - h|| / ||h||. Empty where none has propagation.
std::string propagation_svg(const std::vector<SensitivityLinear>& linears, std::size_t lines = 5);

// An <svg> of each linear's weight error (across) and damage (up), both logarithmic; those of the worst 5 %
// are marked. Empty where no linear has both.
std::string weight_error_svg(const DiagnoseResult& result);

}  // namespace assay
