// The result of `assay compare`: the whole model treated in several ways, measured on the same windows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/interval.h"
#include "records/perplexity.h"

namespace assay {

struct LinearOutputError {
    std::string linear;
    double output_error = 0;  // ||X dW^T||_F / ||X W^T||_F over the windows' inputs X

    bool operator==(const LinearOutputError&) const = default;
};

// All linears of the blocks under one treatment. Deltas are treated - reference on the same positions.
struct CompareRow {
    std::string name;  // the treatment
    double ppl = 0;
    double delta_percent = 0;  // 100 (ppl / ppl of the reference - 1)
    std::optional<Interval> delta_percent_ci95;
    double kl = 0;  // mean KL(reference || treated) per token, nats
    std::optional<Interval> kl_ci95;
    double top1_agreement = 0;
    double effective_bits = 0;        // of the treated linears, with scales and zero points
    double average_bits = 0;          // of all matrices, embedding and head included
    std::int64_t bytes = 0;           // of the treated linears
    std::int64_t model_bytes = 0;     // of all tensors, what is not treated in 16 bits
    std::int64_t ragged_linears = 0;  // whose rows end with a shorter group
    double output_error = 0;          // median over linears; of formats
    // Of techniques: to calibrate and choose the codes, and the most memory that the program held meanwhile.
    std::optional<double> seconds;
    std::optional<std::int64_t> peak_bytes;
    std::optional<std::vector<std::string>> kernels;  // that take all of these linears
    std::optional<std::vector<GrowthStep>> growth;    // of a technique whose calibration grew
    std::vector<LinearOutputError> linears;

    bool operator==(const CompareRow&) const = default;
};

struct CompareResult {
    std::string what;  // "formats" or "techniques"
    PerplexityResult reference;
    std::vector<CompareRow> rows;

    bool operator==(const CompareResult&) const = default;
};

}  // namespace assay
