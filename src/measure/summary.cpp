#include "measure/summary.h"

#include <cmath>

#include "base/error.h"
#include "measure/token_statistics.h"
#include "stats/bootstrap.h"
#include "stats/rank.h"

namespace assay {
namespace {

double total(std::span<const BlockSums> blocks, double BlockSums::*field) {
    double sum = 0;
    for (const BlockSums& b : blocks) sum += b.*field;
    return sum;
}

std::int64_t total(std::span<const BlockSums> blocks, std::int64_t BlockSums::*field) {
    std::int64_t sum = 0;
    for (const BlockSums& b : blocks) sum += b.*field;
    return sum;
}

void expect_paired(std::span<const BlockSums> reference, std::span<const BlockSums> run) {
    bool same = reference.size() == run.size() && !reference.empty();
    for (std::size_t i = 0; same && i < run.size(); ++i) {
        same = reference[i].window == run[i].window && reference[i].tokens == run[i].tokens;
    }
    if (!same) throw InvalidArgument("two runs can be compared only on the same positions");
}

// The columns that the bootstrap reads.
struct Columns {
    std::vector<double> tokens, reference_nll, delta_nll, kl;
};

Columns columns(std::span<const BlockSums> reference, std::span<const BlockSums> run) {
    Columns c;
    for (std::size_t i = 0; i < run.size(); ++i) {
        c.tokens.push_back(static_cast<double>(run[i].tokens));
        c.reference_nll.push_back(reference[i].nll_sum);
        c.delta_nll.push_back(run[i].nll_sum - reference[i].nll_sum);
        c.kl.push_back(run[i].kl_sum);
    }
    return c;
}

double dot(std::span<const double> a, std::span<const double> b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
}

// The interval of the exponential, which is monotone.
std::optional<Interval> exp(const std::optional<Interval>& interval) {
    if (!interval) return std::nullopt;
    return Interval{std::exp(interval->low), std::exp(interval->high)};
}

// Of the mean per token of a field.
template <class T>
std::optional<Interval> mean_ci95(std::span<const BlockSums> blocks, T BlockSums::*field,
                                  std::uint64_t seed) {
    std::vector<double> sums, tokens;
    for (const BlockSums& b : blocks) {
        sums.push_back(static_cast<double>(b.*field));
        tokens.push_back(static_cast<double>(b.tokens));
    }
    return bootstrap_mean(sums, tokens, {.seed = seed});
}

}  // namespace

double mean_nll(std::span<const BlockSums> blocks) {
    return total(blocks, &BlockSums::nll_sum) / static_cast<double>(total(blocks, &BlockSums::tokens));
}

double mean_kl(std::span<const BlockSums> blocks) {
    return total(blocks, &BlockSums::kl_sum) / static_cast<double>(total(blocks, &BlockSums::tokens));
}

DamageSummary summarize_damage(std::span<const BlockSums> reference, std::span<const BlockSums> run,
                               std::uint64_t seed) {
    expect_paired(reference, run);
    const Columns c = columns(reference, run);
    const BootstrapOptions options{.seed = seed};
    const auto blocks = static_cast<std::int64_t>(run.size());
    const auto tokens = static_cast<double>(total(run, &BlockSums::tokens));
    const double reference_ppl = std::exp(mean_nll(reference));
    DamageSummary s;
    s.kl = mean_kl(run);
    s.kl_ci95 = bootstrap_mean(c.kl, c.tokens, options);
    double delta = 0;
    for (double d : c.delta_nll) delta += d;
    s.delta_nll = delta / tokens;
    s.delta_nll_ci95 = bootstrap_mean(c.delta_nll, c.tokens, options);
    s.relative_delta_ppl = std::expm1(s.delta_nll);
    s.relative_delta_ppl_ci95 = bootstrap(
        blocks, [&](std::span<const double> m) { return std::expm1(dot(m, c.delta_nll) / dot(m, c.tokens)); },
        options);
    s.delta_ppl = reference_ppl * s.relative_delta_ppl;
    s.delta_ppl_ci95 = bootstrap(
        blocks,
        [&](std::span<const double> m) {
            const double n = dot(m, c.tokens);
            return std::exp(dot(m, c.reference_nll) / n) * std::expm1(dot(m, c.delta_nll) / n);
        },
        options);
    s.top1_agreement = static_cast<double>(total(run, &BlockSums::top1)) / tokens;
    return s;
}

std::vector<WindowSums> window_sums(std::span<const BlockSums> blocks, bool with_kl) {
    std::vector<WindowSums> windows;
    std::int64_t last = -1;
    for (const BlockSums& b : blocks) {
        if (b.window != last)
            windows.push_back({.kl_sum = with_kl ? std::optional<double>(0) : std::nullopt});
        last = b.window;
        windows.back().nll_sum += b.nll_sum;
        windows.back().tokens += b.tokens;
        if (with_kl) *windows.back().kl_sum += b.kl_sum;
    }
    return windows;
}

PerplexityResult perplexity_result(const std::vector<BlockSums>& blocks, std::int64_t window_tokens) {
    PerplexityResult result;
    result.nll_mean = mean_nll(blocks);
    result.ppl = std::exp(result.nll_mean);
    result.tokens_scored = total(blocks, &BlockSums::tokens);
    result.window_tokens = window_tokens;
    result.protocol = "gptq";
    result.windows = window_sums(blocks, false);
    result.blocks = blocks;
    return result;
}

PerplexityResult perplexity_result(const RunScores& run, std::int64_t window_tokens, std::uint64_t seed) {
    PerplexityResult result = perplexity_result(run.blocks, window_tokens);
    result.ppl_ci95 = exp(mean_ci95(std::span(run.blocks), &BlockSums::nll_sum, seed));
    result.ppl_standard_error = ppl_standard_error(run.token_nll);
    return result;
}

PerplexityResult comparison_result(const RunScores& reference, const RunScores& run,
                                   std::int64_t window_tokens, std::uint64_t seed) {
    const DamageSummary s = summarize_damage(reference.blocks, run.blocks, seed);
    PerplexityResult result = perplexity_result(run, window_tokens, seed);
    result.windows = window_sums(run.blocks, true);
    const auto reference_windows = window_sums(reference.blocks, false);
    for (std::size_t w = 0; w < reference_windows.size(); ++w)
        result.windows[w].reference_nll_sum = reference_windows[w].nll_sum;
    Comparison c;
    c.kl_mean = s.kl;
    c.kl_ci95 = s.kl_ci95;
    c.top1_agreement = s.top1_agreement;
    c.top1_agreement_ci95 = mean_ci95(std::span(run.blocks), &BlockSums::top1, seed);
    c.delta_nll = s.delta_nll;
    c.delta_nll_ci95 = s.delta_nll_ci95;
    c.delta_ppl = s.delta_ppl;
    c.delta_ppl_ci95 = s.delta_ppl_ci95;
    c.reference_nll_mean = mean_nll(reference.blocks);
    c.reference_ppl = std::exp(c.reference_nll_mean);
    c.ppl_ratio = std::exp(s.delta_nll);
    c.ppl_ratio_ci95 = exp(s.delta_nll_ci95);
    if (!run.token_nll.empty() && !reference.token_nll.empty()) {
        c.kl_percentiles = percentiles(run.token_kl, kKlPercents);
        c.nll_correlation = pearson(reference.token_nll, run.token_nll);
        c.delta_p = probability_change(reference.token_nll, run.token_nll, run.blocks, seed);
    }
    result.comparison = std::move(c);
    return result;
}

}  // namespace assay
