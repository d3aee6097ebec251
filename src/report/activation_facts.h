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
    enum class Kind { kInput, kOutput, kEmbedding };

    const ActivationsLinear* linear = nullptr;
    Kind kind = Kind::kOutput;

    const ActivationSide& side() const {
        if (kind == Kind::kOutput) return linear->output;
        return kind == Kind::kInput ? *linear->input : *linear->embedding;
    }
    // "input" or "output"; of an embedding that is the output layer, too, which of the two has it.
    std::string name() const;
};

// Those that the linear has, in that order.
std::vector<SideOfLinear> sides_of(const ActivationsLinear& linear);

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
