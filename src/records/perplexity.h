// The result of `assay perplexity`: how well a model predicts a text, and how far it is from a reference.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/interval.h"
#include "records/block_sums.h"
#include "records/calibrated_linear.h"
#include "records/calibration_growth.h"

namespace assay {

// Sums over the scored positions of one window; nll and kl in nats.
struct WindowSums {
    double nll_sum = 0;
    std::int64_t tokens = 0;
    std::optional<double> kl_sum;  // sum of KL(reference || model); only where there is a reference
    std::optional<double> reference_nll_sum;  // the reference's nll_sum on the same positions

    bool operator==(const WindowSums&) const = default;
};

// `value` is the quantile percent / 100 of a number that every scored token has.
struct Percentile {
    double percent = 0;
    double value = 0;

    bool operator==(const Percentile&) const = default;
};

// How the probability of the text's own tokens changed: Δp = p_model(token) - p_reference(token), in
// percentage points.
struct ProbabilityChange {
    double mean = 0;
    std::optional<Interval> mean_ci95;
    double rms = 0;  // sqrt(mean Δp²)
    std::optional<Interval> rms_ci95;
    std::vector<Percentile> percentiles;

    bool operator==(const ProbabilityChange&) const = default;
};

// The model beside a reference on the same positions. Deltas are model - reference; means are per token.
struct Comparison {
    double kl_mean = 0;               // mean KL(reference || model), nats
    std::optional<Interval> kl_ci95;  // this and the other intervals: none with too few blocks of positions
    std::vector<Percentile> kl_percentiles;  // of the KL of single positions, nats
    double top1_agreement = 0;               // fraction of positions where both rank the same token first
    std::optional<Interval> top1_agreement_ci95;
    double delta_nll = 0;  // = ln(PPL of the model / PPL of the reference)
    std::optional<Interval> delta_nll_ci95;
    double delta_ppl = 0;
    std::optional<Interval> delta_ppl_ci95;
    double reference_ppl = 0;
    double reference_nll_mean = 0;
    // Not in results older than these fields.
    std::optional<double> ppl_ratio;  // PPL of the model / PPL of the reference = exp(delta_nll)
    std::optional<Interval> ppl_ratio_ci95;
    std::optional<double> nll_correlation;     // Pearson's, of the two runs' NLLs of single tokens
    std::optional<ProbabilityChange> delta_p;  // JSON: its fields stand beside the others, as delta_p_*

    bool operator==(const Comparison&) const = default;
};

struct PerplexityResult {
    double ppl = 0;                    // exp(nll_mean)
    std::optional<Interval> ppl_ci95;  // as the comparison's intervals; not in older results
    // ppl · sqrt((mean(nll²) - mean(nll)²) / (n - 1)), n tokens: too small, for neighbouring tokens' NLLs are
    // correlated, but what others print.
    std::optional<double> ppl_standard_error;
    double nll_mean = 0;  // nats per scored token
    std::int64_t tokens_scored = 0;
    std::int64_t window_tokens = 0;      // length of a full window, context included
    std::string protocol;                // how the text is cut into windows: "gptq", "llama.cpp", "sliding"
    std::optional<std::int64_t> stride;  // of sliding: tokens from one window's begin to the next one's
    std::vector<WindowSums> windows;
    std::vector<BlockSums> blocks;  // the same sums, finer: the intervals are computed from them
    std::optional<std::vector<CalibratedLinear>> calibrated;  // of a calibrated treatment: by block and name
    std::optional<std::vector<GrowthStep>> growth;            // of one whose calibration grew
    std::optional<Comparison> comparison;  // JSON: its fields stand beside the others, not nested

    bool operator==(const PerplexityResult&) const = default;
};

}  // namespace assay
