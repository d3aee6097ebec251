// Findings: what is wrong with a linear, the evidence, and the cheapest remedy with its measured gain and
// price.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/interval.h"
#include "container/json.h"

namespace assay {

struct FindingEvidence {
    std::string sentence;
    Json numbers = Json::object();  // by name; docs/results-schema.md has the formulas

    bool operator==(const FindingEvidence&) const = default;
};

// One way to treat the linear instead, measured on the held-out windows.
struct MeasuredRemedy {
    std::string name;
    double gain = 0;  // damage that it takes away: mean KL of the treatment - with the remedy, nats per token
    std::optional<Interval> gain_ci95;
    double gain_share = 0;  // gain / mean KL of the treatment
    std::optional<Interval> gain_share_ci95;
    std::int64_t bytes = 0;               // stored more than with the treatment; negative: less
    std::optional<double> gain_per_byte;  // where it costs bytes

    bool operator==(const MeasuredRemedy&) const = default;
};

struct Finding {
    std::string linear;
    std::string treatment;
    std::string cause;  // weight_outliers, varying_range, …: docs/results-schema.md
    FindingEvidence evidence;
    std::string remedy;  // in words; measured where it has a gain
    std::optional<double> gain;
    std::optional<Interval> gain_ci95;
    std::optional<double> gain_share;
    std::optional<Interval> gain_share_ci95;
    std::optional<std::int64_t> bytes;
    std::vector<MeasuredRemedy> remedies;  // all that were measured, by bytes

    bool operator==(const Finding&) const = default;
};

}  // namespace assay
