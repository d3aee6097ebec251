// What the reports say of activations, in rows and sentences.
#pragma once

#include <string>
#include <vector>

#include "records/activations.h"
#include "records/calibration.h"
#include "report/blame_facts.h"

namespace assay {

// One side of a linear; an input that linears share stands once, with the first of them.
struct SideOfLinear {
    const ActivationsLinear* linear = nullptr;
    bool is_input = false;

    const ActivationSide& side() const { return is_input ? linear->input : linear->output; }
};

// By ratio max / mean |x|, largest first; sides without rows are left out. They point into `result`.
std::vector<SideOfLinear> sides_by_ratio(const ActivationsResult& result);

// How many sides raise each alert.
std::vector<std::string> alert_sentences(const ActivationsResult& result);

// Tables of the first so many sides, of the largest massive tokens, and of the outlier channels with most
// energy (those of tokens and those that persist).
TextRows side_rows(const std::vector<SideOfLinear>& sides, std::size_t most);
TextRows massive_rows(const std::vector<SideOfLinear>& sides, std::size_t most);
TextRows channel_rows(const std::vector<SideOfLinear>& sides, std::size_t most);

// Where the calibration windows come from, and each warning.
std::vector<std::string> calibration_sentences(const CalibrationRecord& calibration);

}  // namespace assay
