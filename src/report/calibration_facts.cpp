#include "report/calibration_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "report/format.h"
#include "report/median.h"

namespace assay {
namespace {

constexpr std::size_t kNamed = 10;  // fallbacks, and inputs that are not scaled

std::string how_treated(const std::vector<CalibratedLinear>& linears) {
    std::int64_t positions = 0;
    std::vector<double> ratios;
    for (const CalibratedLinear& linear : linears) {
        positions = std::max(positions, linear.positions);
        if (linear.error_ratio && !linear.fallback) ratios.push_back(*linear.error_ratio);
    }
    std::string text = fmt::format("{} linears treated with {} on up to {} positions each", linears.size(),
                                   safe_text(linears.front().treatment), format_count(positions));
    if (!ratios.empty()) {
        text += fmt::format("; output errors there are {} of round to nearest's (median; from {} to {})",
                            format_significant(median(ratios)),
                            format_significant(*std::min_element(ratios.begin(), ratios.end())),
                            format_significant(*std::max_element(ratios.begin(), ratios.end())));
    }
    return text + ".";
}

// The median of a number of the inputs that have it, and the linear where it is largest; empty without any.
template <class Number>
std::string input_fact(const std::vector<CalibratedLinear>& linears, const char* what, const Number& number) {
    std::vector<double> values;
    const CalibratedLinear* worst = nullptr;
    for (const CalibratedLinear& linear : linears) {
        const std::optional<double> value = linear.input ? number(*linear.input) : std::nullopt;
        if (!value) continue;
        if (worst == nullptr || *value > *number(*worst->input)) worst = &linear;
        values.push_back(*value);
    }
    if (worst == nullptr) return "";
    return fmt::format("{}: {} (median), {} at most ({}).", what, format_significant(median(values)),
                       format_significant(*number(*worst->input)), safe_text(worst->name));
}

// How hard inputs are to round, before and after smoothing.
void add_input_facts(const std::vector<CalibratedLinear>& linears, std::vector<std::string>& facts) {
    using Input = RoundedInputRecord;
    const auto add = [&](std::string fact) {
        if (!fact.empty()) facts.push_back(std::move(fact));
    };
    add(input_fact(linears, "Inputs' largest channel over the mean one",
                   [](const Input& input) { return std::optional(input.max_over_mean); }));
    add(input_fact(linears, "The same after smoothing",
                   [](const Input& input) { return input.smoothed_max_over_mean; }));
    add(input_fact(linears, "Relative output error on held-out calibration windows, without smoothing",
                   [](const Input& input) { return std::optional(input.output_error); }));
    add(input_fact(linears, "The same with smoothing",
                   [](const Input& input) { return input.smoothed_output_error; }));
    add(input_fact(linears, "Alpha", [](const Input& input) { return input.alpha; }));
    std::map<std::string, std::int64_t> obstacles;
    for (const CalibratedLinear& linear : linears) {
        if (linear.input && linear.input->obstacle) ++obstacles[*linear.input->obstacle];
    }
    for (const auto& [why, count] : obstacles)
        facts.push_back(fmt::format("{} linears are not smoothed: {}.", count, safe_text(why)));
}

void add_scaling(const std::vector<CalibratedLinear>& linears, std::vector<std::string>& facts) {
    std::vector<double> alphas;
    std::size_t unscaled = 0;
    for (const CalibratedLinear& linear : linears) {
        if (linear.alpha) alphas.push_back(*linear.alpha);
        if (linear.unscaled && unscaled++ < kNamed)
            facts.push_back(fmt::format("Input not scaled: {}: {}.", safe_text(linear.name),
                                        safe_text(*linear.unscaled)));
    }
    if (unscaled > kNamed) facts.push_back(fmt::format("{} more have inputs not scaled.", unscaled - kNamed));
    if (alphas.empty()) return;
    const auto scaled = std::count_if(alphas.begin(), alphas.end(), [](double a) { return a > 0; });
    const auto [least, most] = std::minmax_element(alphas.begin(), alphas.end());
    facts.push_back(fmt::format(
        "Inputs of {} linears are scaled; the exponents found are {} (median; from {} "
        "to {}).",
        scaled, format_significant(median(alphas)), format_significant(*least), format_significant(*most)));
}

// Where dampings were chosen linear by linear.
void add_dampings(const std::vector<CalibratedLinear>& linears, std::vector<std::string>& facts) {
    std::vector<double> dampings;
    for (const CalibratedLinear& linear : linears) {
        if (linear.damping_raised == 0 && !linear.input) dampings.push_back(linear.damping);
    }
    if (dampings.empty()) return;
    const auto [least, most] = std::minmax_element(dampings.begin(), dampings.end());
    if (*least == *most) return;
    facts.push_back(fmt::format(
        "Dampings chosen on held-out windows: {} of the mean (median; from {} to {}).",
        format_significant(median(dampings)), format_significant(*least), format_significant(*most)));
}

}  // namespace

std::string growth_fact(const std::vector<GrowthStep>& steps) {
    std::string text;
    for (const GrowthStep& step : steps) {
        text += fmt::format("{}{} windows: {}", text.empty() ? "" : ", ", step.windows,
                            format_significant(step.kl));
        if (step.gain)
            text += fmt::format(" ({} less {})", format_percent(*step.gain),
                                format_percent_interval(step.gain_ci95));
    }
    for (const GrowthStep& step : steps) {
        if (step.chosen) text += fmt::format(". Taken: those of {} windows.", step.windows);
    }
    return steps.empty() ? "" : "KL on held-out calibration windows, calibrated on " + text;
}

std::vector<std::string> calibration_facts(const std::vector<CalibratedLinear>& linears) {
    if (linears.empty()) return {};
    std::vector<std::string> facts{how_treated(linears)};
    add_input_facts(linears, facts);
    std::int64_t raised = 0, dead = 0;
    double most = 0;
    std::size_t fallbacks = 0;
    for (const CalibratedLinear& linear : linears) {
        raised += linear.damping_raised > 0 ? 1 : 0;
        dead += linear.dead_columns > 0 ? 1 : 0;
        most = std::max(most, linear.damping);
        if (!linear.fallback) continue;
        if (fallbacks++ < kNamed)
            facts.push_back(fmt::format("{}: {}: {}.",
                                        linear.input ? "Scaled by itself" : "Rounded to nearest instead",
                                        safe_text(linear.name), safe_text(*linear.fallback)));
    }
    if (fallbacks > kNamed)
        facts.push_back(fmt::format("{} more were rounded to nearest instead.", fallbacks - kNamed));
    add_scaling(linears, facts);
    add_dampings(linears, facts);
    if (raised > 0) {
        facts.push_back(fmt::format("The damping had to be raised for {} linears, to {} of the mean at most.",
                                    raised, format_significant(most)));
    }
    if (dead > 0)
        facts.push_back(fmt::format("{} linears have input channels that were 0 at all positions.", dead));
    return facts;
}

}  // namespace assay
