// The page's ranked table of linears.
#pragma once

#include <string>

#include "records/sensitivity.h"
#include "records/weights.h"

namespace assay {

// A <table> of all linears in rank order, sortable; weight errors stand beside the damage where `weights` is
// given.
std::string damage_table_html(const SensitivityResult& result, const WeightsResult* weights);

}  // namespace assay
