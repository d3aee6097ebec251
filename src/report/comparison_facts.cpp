#include "report/comparison_facts.h"

#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <map>

#include "report/format.h"

namespace assay {
namespace {

std::string quantile_name(double percent) {
    if (percent == 100) return "largest";
    if (percent == 50) return "median";
    if (percent == 0) return "smallest";
    return fmt::format("{:g} %", percent);
}

void add_delta_p(const ProbabilityChange& change, std::vector<Fact>& facts) {
    facts.push_back(
        {"mean Δp, percentage points", format_signed(change.mean), format_interval(change.mean_ci95)});
    facts.push_back(
        {"RMS Δp, percentage points", format_significant(change.rms), format_interval(change.rms_ci95)});
}

}  // namespace

std::vector<Fact> comparison_facts(const Comparison& c) {
    std::vector<Fact> facts;
    facts.push_back({"Δ perplexity", format_signed(c.delta_ppl, 4), format_interval(c.delta_ppl_ci95)});
    if (c.ppl_ratio)
        facts.push_back({"perplexity / reference's", format_significant(*c.ppl_ratio, 5),
                         format_interval(c.ppl_ratio_ci95, 5)});
    facts.push_back({"Δ NLL = ln of that, nats per token", format_signed(c.delta_nll),
                     format_interval(c.delta_nll_ci95)});
    if (c.nll_correlation)
        facts.push_back(
            {"correlation of the tokens' NLLs", format_significant(100 * *c.nll_correlation, 4) + " %", ""});
    facts.push_back({"KL from reference, nats", format_significant(c.kl_mean), format_interval(c.kl_ci95)});
    facts.push_back({"same top token", format_percent(c.top1_agreement),
                     c.top1_agreement_ci95 ? format_percent_interval(c.top1_agreement_ci95) : ""});
    if (c.delta_p) add_delta_p(*c.delta_p, facts);
    return facts;
}

std::vector<QuantileRow> quantile_rows(const Comparison& c) {
    std::map<double, QuantileRow, std::greater<>> rows;
    const auto add = [&](const std::vector<Percentile>& percentiles, std::string QuantileRow::*column,
                         bool is_signed) {
        for (const Percentile& p : percentiles) {
            if (!std::isfinite(p.percent)) continue;  // only from a file
            const std::string none(kNoNumber);
            const QuantileRow empty{quantile_name(p.percent), none, none};
            QuantileRow& row = rows.emplace(p.percent, empty).first->second;
            row.*column = is_signed ? format_signed(p.value) : format_significant(p.value);
        }
    };
    add(c.kl_percentiles, &QuantileRow::kl, false);
    if (c.delta_p) add(c.delta_p->percentiles, &QuantileRow::delta_p, true);
    std::vector<QuantileRow> list;
    for (const auto& [percent, row] : rows) list.push_back(row);
    return list;
}

}  // namespace assay
