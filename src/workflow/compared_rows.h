// The rows of comparisons: a model treated in several ways, all measured in one run beside the model as it
// is.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "measure/scores.h"
#include "model/model.h"
#include "number/number_format.h"
#include "records/compare.h"
#include "workflow/session.h"

namespace assay {

// One way to treat a model.
struct ComparedModel {
    std::string name;
    std::vector<NumberFormat> formats;  // of each item, in their order
    const WeightOverlay* overlay = nullptr;
};

// The formats of a row that stores all items alike.
std::vector<NumberFormat> all_in(const NumberFormat& format, std::span<const std::size_t> items);

// Exact sizes as the formats store the items (indexes into Model::items()), what is not treated in 16 bits.
void add_sizes(const Model& model, std::span<const std::size_t> items, std::span<const NumberFormat> formats,
               CompareRow& row);

// The model as it is and a row for each treated one, in their order, without output errors.
CompareResult compare_models(Session& session, const Evaluation& text, std::span<const std::size_t> items,
                             std::span<const ComparedModel> models, std::uint64_t seed);

}  // namespace assay
