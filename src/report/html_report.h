// A run's results as one self-contained web page, from the records alone.
#pragma once

#include <string>

#include "records/envelope.h"

namespace assay {

// One HTML document without any outside resource; it reads without scripts (one small script sorts the
// table), in light and dark, and prints. All names from files are escaped. Throws InvalidArgument unless the
// result is one of diagnose, sensitivity, blame, weights, compare, eval or activations.
std::string html_report(const Envelope& envelope);

}  // namespace assay
