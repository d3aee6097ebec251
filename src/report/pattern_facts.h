// What the reports say of patterns, in rows and sentences.
#pragma once

#include <string>
#include <vector>

#include "records/patterns.h"
#include "report/blame_facts.h"

namespace assay {

// Whether the first and last blocks are the sensitive ones, whether keeping them pays, and which cheap
// indicator to trust.
std::vector<std::string> pattern_sentences(const PatternsResult& patterns);

// Depth and projections beside the other linears; the indicators; the linears that the model cares most
// about.
TextRows pattern_rows(const PatternsResult& patterns);
TextRows indicator_rows(const PatternsResult& patterns);
TextRows factor_rows(const PatternsResult& patterns, std::size_t most);

}  // namespace assay
