// Pictures of a linear's weights.
#pragma once

#include <string>

#include "records/weights.h"

namespace assay {

// An <svg> of the distribution on a logarithmic axis of counts, with marks at mean ± 3 standard deviations
// and what lies beyond the bins in words. Empty where the linear has no histogram.
std::string histogram_svg(const WeightsLinear& linear);

// An <svg> of the treatment's errors over the matrix: output rows down, groups of input channels across,
// brighter for more. Empty where the linear has no map.
std::string error_map_svg(const WeightsLinear& linear);

}  // namespace assay
