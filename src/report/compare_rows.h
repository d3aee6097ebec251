// A comparison of treatments as a table.
#pragma once

#include "records/compare.h"
#include "report/blame_facts.h"

namespace assay {

// In the result's order.
TextRows compare_rows(const CompareResult& result);

// A sentence for each row whose calibration grew.
std::vector<std::string> growth_sentences(const CompareResult& result);

}  // namespace assay
