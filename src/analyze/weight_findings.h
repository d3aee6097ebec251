// Findings that the weights alone show.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/pass.h"
#include "quantize/weight_checks.h"
#include "records/findings.h"
#include "records/treatment.h"

namespace assay {

// What one reading of a linear's weights says.
struct WeightVerdict {
    WeightNumerics numerics;
    std::optional<WeightGrid> grid;
    std::string stored_type;  // of few bits, such as "Q4_1"; empty for others
};

// Reads the item's weight whole.
// Throws: NumericError as check_numerics(), naming the item.
WeightVerdict look_at_weight(const Model& model, ThreadPool& pool, const LinearItem& item,
                             const Treatment& treatment);

// "numerics" and "already_quantized" of one item, as far as they hold.
std::vector<Finding> weight_findings(const LinearItem& item, const Treatment& treatment,
                                     const WeightVerdict& verdict);

}  // namespace assay
