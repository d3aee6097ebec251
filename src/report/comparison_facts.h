// A comparison with a reference as rows of text, for the terminal's tables and the page's. Private to report.
#pragma once

#include <string>
#include <vector>

#include "records/perplexity.h"

namespace assay {

struct Fact {
    std::string name, value, ci95;  // ci95: empty where the number has no interval
};

// What results from older versions do not have is left out.
std::vector<Fact> comparison_facts(const Comparison& comparison);

struct QuantileRow {
    std::string name, kl, delta_p;
};

// The percentiles of single tokens' KL and Δp side by side, from the largest down; none where there are none.
std::vector<QuantileRow> quantile_rows(const Comparison& comparison);

}  // namespace assay
