// What the reports say of where damage sits: parts of linears, attention heads, blocks.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "records/blame.h"
#include "records/weights.h"

namespace assay {

// A table of texts; the first column holds names.
struct TextRows {
    std::vector<std::string> header;
    std::vector<std::vector<std::string>> rows;
};

// The parts with the largest shares of the first `most` linears that have parts; no rows where none has.
TextRows part_rows(const std::vector<SensitivityLinear>& linears, std::size_t most);

// The attention heads with the most damage: kl · share of q, k, v and o of each.
TextRows head_rows(const std::vector<SensitivityLinear>& linears, std::size_t most);

// The blocks with the most damage.
TextRows block_rows(const BlameResult& result, std::size_t most);

// The linears' weight errors as the ranked tables show them.
WeightsResult weights_of(const BlameResult& result);

}  // namespace assay
