// The page's map of damage: decoder blocks across, projections down.
#pragma once

#include <string>
#include <vector>

#include "records/sensitivity.h"

namespace assay {

// An <svg> with one cell for each block and projection, coloured by log10 of kl; linears outside the blocks
// follow below with their value. Where several linears share a cell (experts), the worst one colours it. Each
// cell's <title> has the exact numbers.
std::string heatmap_svg(const std::vector<SensitivityLinear>& linears);

}  // namespace assay
