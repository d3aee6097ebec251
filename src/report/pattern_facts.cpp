#include "report/pattern_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/format.h"

namespace assay {
namespace {

constexpr double kClassicRatio = 5;  // "the first and last layers are 5 to 10 times as sensitive"
constexpr double kSignificant = 0.05;

std::string words(std::string name) {
    std::replace(name.begin(), name.end(), '_', ' ');
    return name;
}

std::string depth_sentence(const DamagePattern& p) {
    const bool holds = p.p_value <= kSignificant && p.ratio_ci95 && p.ratio_ci95->low >= kClassicRatio;
    return fmt::format(
        "The first and last blocks lose {} times as much as the others {} (permutation p = {:.2g}): that "
        "they are 5 to "
        "10 times as sensitive {} in this model.",
        format_significant(p.ratio), format_interval(p.ratio_ci95), p.p_value,
        holds ? "holds" : "does not hold");
}

std::string advice_sentence(const EdgeAdvice& advice) {
    double mean = 0;
    for (const KeptBlocks& k : advice.random)
        mean += k.gain_share / static_cast<double>(advice.random.size());
    return fmt::format(
        "Keeping the first two and last two blocks in 16 bits takes {} of the damage away, as many random "
        "blocks {} "
        "(mean of {}): the advice to keep the edges {} here.",
        format_percent(advice.edges.gain_share), format_percent(mean), advice.random.size(),
        advice.holds ? "holds" : "does not hold");
}

}  // namespace

std::vector<std::string> pattern_sentences(const PatternsResult& patterns) {
    std::vector<std::string> out;
    for (const DamagePattern& p : patterns.depth) {
        if (p.kind == "first_and_last_blocks") out.push_back(depth_sentence(p));
    }
    if (patterns.advice) out.push_back(advice_sentence(*patterns.advice));
    const auto best =
        std::max_element(patterns.indicators.begin(), patterns.indicators.end(),
                         [](const Indicator& a, const Indicator& b) { return a.spearman < b.spearman; });
    if (best != patterns.indicators.end())
        out.push_back(
            fmt::format("Of the cheap indicators, {} ranks the linears most as their damage does: {:.2f} {}.",
                        words(best->name), best->spearman, format_interval(best->spearman_ci95)));
    return out;
}

TextRows pattern_rows(const PatternsResult& patterns) {
    TextRows table{{"kind", "linears", "times the others", "95 %", "p"}, {}};
    for (const auto* list : {&patterns.depth, &patterns.projections}) {
        for (const DamagePattern& p : *list)
            table.rows.push_back({words(p.kind), std::to_string(p.linears), format_significant(p.ratio),
                                  format_interval(p.ratio_ci95), fmt::format("{:.2g}", p.p_value)});
    }
    return table;
}

TextRows indicator_rows(const PatternsResult& patterns) {
    std::vector<Indicator> sorted = patterns.indicators;
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const Indicator& a, const Indicator& b) { return a.spearman > b.spearman; });
    TextRows table{{"indicator", "linears", "Spearman", "95 %"}, {}};
    for (const Indicator& i : sorted)
        table.rows.push_back({words(i.name), std::to_string(i.linears), fmt::format("{:.2f}", i.spearman),
                              format_interval(i.spearman_ci95)});
    return table;
}

TextRows factor_rows(const PatternsResult& patterns, std::size_t most) {
    std::vector<DamageFactors> sorted = patterns.factors;
    const auto damage = [](const DamageFactors& f) { return f.output_error * f.output_error * f.care; };
    std::stable_sort(sorted.begin(), sorted.end(),
                     [&](const auto& a, const auto& b) { return damage(a) > damage(b); });
    TextRows table{{"linear", "output error", "care (median 1)"}, {}};
    for (std::size_t i = 0; i < std::min(most, sorted.size()); ++i)
        table.rows.push_back(
            {sorted[i].linear, format_percent(sorted[i].output_error), format_significant(sorted[i].care)});
    return table;
}

}  // namespace assay
