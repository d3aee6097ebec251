// A run's results as text for a terminal, from the records alone.
#pragma once

#include <string>

#include "records/envelope.h"

namespace assay {

struct TextOptions {
    std::size_t top = 30;  // rows of a table of linears; a last line says how many are left
};

// UTF-8, lines of at most about 140 columns where names allow, ending in a newline.
std::string text_report(const Envelope& envelope, const TextOptions& options = {});

}  // namespace assay
