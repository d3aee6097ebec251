// The page's maps of activations: channels across, blocks down, one map for each projection's input and
// output.
#pragma once

#include <string>

#include "records/activations.h"

namespace assay {

// An <svg> of small maps, coloured by log10 of a run of channels' max |x| over the mean |x| of its linear's
// side, from 1 to 1000 times. At most 24 maps of at most 200 blocks, so that no file makes it large; what is
// beyond is left out. Each row's <title> names its linear. Empty where there is nothing to show.
std::string activation_maps_svg(const ActivationsResult& result);

}  // namespace assay
