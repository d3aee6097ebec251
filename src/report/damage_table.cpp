// Building the ranked table of linears.
#include "report/damage_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_map>

#include "report/format.h"
#include "report/html_text.h"

namespace assay {
namespace {

// The sort key of a number: all digits, or empty where there is none.
std::string sort_key(double value) {
    return std::isfinite(value) ? fmt::format("{}", value) : "";
}

std::string number_cell(const std::optional<double>& value, int digits = 3) {
    if (!value) return fmt::format("<td class=\"n\" data-v=\"\">{}</td>", kNoNumber);
    return fmt::format("<td class=\"n\" data-v=\"{}\">{}</td>", sort_key(*value),
                       format_significant(*value, digits));
}

// The value's `text` with its interval below.
std::string measured_cell(double value, const std::string& text, const std::optional<Interval>& ci95) {
    const std::string interval =
        ci95 ? fmt::format("<span class=\"ci\">{}</span>", format_interval(ci95)) : "";
    return fmt::format("<td class=\"n\" data-v=\"{}\">{}{}</td>", sort_key(value), text, interval);
}

// The bar is as long as the share is beside the `largest` one.
std::string share_cell(double share, double largest) {
    const double length = std::isfinite(share / largest) ? std::clamp(100 * share / largest, 0.0, 100.0) : 0;
    return fmt::format(
        "<td class=\"n\" data-v=\"{}\">{}<span class=\"bar\" style=\"width:{:.1f}%\"></span></td>",
        sort_key(share), format_percent(share), length);
}

// The style of the known categories; names from a file never become class names.
std::string_view category_class(const std::string& category) {
    static constexpr std::array<std::string_view, 4> kKnown = {"critical", "high", "moderate", "low"};
    const auto known = std::find(kKnown.begin(), kKnown.end(), category);
    return known == kKnown.end() ? "quiet" : *known;
}

std::string header(bool with_weights) {
    const auto column = [](bool numeric, std::string_view title, std::string_view name) {
        return fmt::format("<th scope=\"col\"{} title=\"{}\"><button type=\"button\">{}</button></th>",
                           numeric ? " class=\"n\"" : "", title, name);
    };
    std::string row =
        column(true, "1: most damage", "Rank") + column(false, "as in Hugging Face", "Linear") +
        column(false, "by share of the damage", "Category") +
        column(false, "measured by an exact swap, or scored from the reverse pass", "Basis") +
        column(true, "mean KL(reference ‖ treated), nats per token, with its 95 % interval", "Damage, nats") +
        column(true, "of the summed damage of all linears", "Share") +
        column(true, "treated minus reference, with its 95 % interval", "Δ perplexity") +
        column(true, "relative error of the linear's output", "Output error");
    if (with_weights)
        row += column(true, "‖W − Q‖ / ‖W‖", "Weight error") +
               column(true, "signal to quantization noise of the weights", "SQNR, dB");
    return "<thead><tr>" + row + column(false, "a candidate; measure before you rely on it", "Try") +
           "</tr></thead>\n";
}

std::string row_html(const SensitivityLinear& linear, double largest_share, bool with_weights,
                     const WeightsLinear* weights) {
    std::string row = fmt::format(
        "<tr><td class=\"n\" data-v=\"{0}\">{0}</td><td class=\"mono\">{1}</td><td class=\"category "
        "{2}\">{3}</td>",
        linear.rank, html_escape(linear.name), category_class(linear.category), html_escape(linear.category));
    row += "<td>" + html_escape(linear.basis) + "</td>" +
           measured_cell(linear.kl, format_significant(linear.kl), linear.kl_ci95) +
           share_cell(linear.share_of_damage, largest_share) +
           (linear.delta_ppl
                ? measured_cell(*linear.delta_ppl, format_signed(*linear.delta_ppl), linear.delta_ppl_ci95)
                : number_cell(std::nullopt)) +
           number_cell(linear.relative_output_error);
    if (with_weights)
        row += number_cell(weights ? weights->relative_error : std::nullopt) +
               number_cell(weights ? weights->sqnr_db : std::nullopt);
    return row + "<td class=\"try\">" + html_escape(linear.recommendation) + "</td></tr>\n";
}

}  // namespace

std::string damage_table_html(const SensitivityResult& result, const WeightsResult* weights) {
    std::unordered_map<std::string, const WeightsLinear*> by_name;
    if (weights)
        for (const WeightsLinear& linear : weights->linears) by_name.emplace(linear.name, &linear);
    double largest_share = 0;
    for (const SensitivityLinear& linear : result.linears)
        largest_share = std::max(largest_share, linear.share_of_damage);
    std::string rows;
    for (const SensitivityLinear& linear : result.linears) {
        const auto found = by_name.find(linear.name);
        rows += row_html(linear, largest_share, weights != nullptr,
                         found == by_name.end() ? nullptr : found->second);
    }
    return "<table class=\"sortable\">\n" + header(weights != nullptr) + "<tbody>\n" + rows +
           "</tbody></table>\n";
}

}  // namespace assay
