// From block sums to the numbers that people read: means, differences and their intervals.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/interval.h"
#include "measure/scores.h"
#include "records/block_sums.h"
#include "records/perplexity.h"

namespace assay {

// A treated run beside its reference on the same positions. Intervals: 95 %, paired block bootstrap
// (stats/bootstrap.h); none where there are fewer than two blocks.
struct DamageSummary {
    double kl = 0;  // mean KL(reference ‖ run), nats per token
    std::optional<Interval> kl_ci95;
    double delta_nll = 0;  // mean NLL of the run - mean NLL of the reference = ln(PPL / PPL of the reference)
    std::optional<Interval> delta_nll_ci95;
    double delta_ppl = 0;  // exp(mean NLL of the run) - exp(mean NLL of the reference)
    std::optional<Interval> delta_ppl_ci95;
    double relative_delta_ppl = 0;  // delta_ppl / PPL of the reference = exp(delta_nll) - 1
    std::optional<Interval> relative_delta_ppl_ci95;
    double top1_agreement = 0;  // share of positions where both rank the same token first
};

// Shape: both lists hold the same blocks in the same order; throws InvalidArgument otherwise.
DamageSummary summarize_damage(std::span<const BlockSums> reference, std::span<const BlockSums> run,
                               std::uint64_t seed);

// Mean -ln p per scored token: Σ nll_sum / Σ tokens.
double mean_nll(std::span<const BlockSums> blocks);

// Mean KL per scored token: Σ kl_sum / Σ tokens. Shape: at least one token.
double mean_kl(std::span<const BlockSums> blocks);

// ppl = exp(mean_nll) with its sums per window and block; protocol "gptq".
PerplexityResult perplexity_result(const std::vector<BlockSums>& blocks, std::int64_t window_tokens);

// The same of a run, with ppl_ci95 = exp(interval of the mean NLL), a bootstrap as above, and, where the run
// kept its tokens, the standard error.
PerplexityResult perplexity_result(const RunScores& run, std::int64_t window_tokens, std::uint64_t seed);

// The same for a run beside a reference, with the comparison:
//   ppl_ratio = exp(delta_nll), its interval exp(delta_nll_ci95)
//   nll_correlation = Pearson's r of the tokens' NLLs in both runs: llama.cpp's Cor(ln(PPL(Q)),
//   ln(PPL(base)))
// That, percentiles and Δp (measure/token_statistics.h) are there only where both runs kept their tokens.
PerplexityResult comparison_result(const RunScores& reference, const RunScores& run,
                                   std::int64_t window_tokens, std::uint64_t seed);

// Sums per window of the blocks, with the kl sums where `with_kl`.
std::vector<WindowSums> window_sums(std::span<const BlockSums> blocks, bool with_kl);

}  // namespace assay
