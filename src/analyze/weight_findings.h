// Findings that the weights alone show.
#pragma once

#include <map>
#include <optional>
#include <span>
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

// Of the given items, by index; reads each once.
// Throws: NumericError as check_numerics(), naming the item.
std::map<std::size_t, WeightVerdict> look_at_weights(const Model& model, const Engine& engine,
                                                     std::span<const std::size_t> items,
                                                     const Treatment& treatment);

// "numerics" and "already_quantized" of one item, as far as they hold.
std::vector<Finding> weight_findings(const LinearItem& item, const Treatment& treatment,
                                     const WeightVerdict& verdict);

}  // namespace assay
