// Findings as rows of text, for the terminal and the page.
#pragma once

#include <string>
#include <vector>

#include "records/findings.h"

namespace assay {

// One finding in words.
struct FindingRow {
    std::string linear;
    std::string cause;     // "a few large weights"
    std::string evidence;  // one sentence
    std::string remedy;
    std::string gain;   // "87 % (0.0123 ± 0.0010 nats)", or kNoNumber
    std::string price;  // "+41.5 KiB", or kNoNumber
};

std::vector<FindingRow> finding_rows(const std::vector<Finding>& findings);

}  // namespace assay
