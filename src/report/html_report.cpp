// Assembling the page.
#include "report/html_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "report/activation_facts.h"
#include "report/activation_maps.h"
#include "report/blame_facts.h"
#include "report/calibration_comparison.h"
#include "report/charts.h"
#include "report/compare_rows.h"
#include "report/comparison_facts.h"
#include "report/conclusions.h"
#include "report/damage_table.h"
#include "report/eval_facts.h"
#include "report/findings_table.h"
#include "report/format.h"
#include "report/heatmap.h"
#include "report/html_sections.h"
#include "report/html_text.h"
#include "report/page_assets.h"
#include "report/pattern_facts.h"
#include "report/weight_sections.h"

namespace assay {
namespace {

std::string scored(const PerplexityResult& result) {
    return fmt::format("{} tokens<br>{} windows of {}", format_count(result.tokens_scored),
                       format_count(static_cast<std::int64_t>(result.windows.size())),
                       format_count(result.window_tokens));
}

std::string change(const Comparison& comparison) {
    return fmt::format("{} ({}{})<br>95 % {}", format_signed(comparison.delta_ppl),
                       comparison.delta_ppl > 0 ? "+" : "",
                       format_percent(comparison.delta_ppl / comparison.reference_ppl),
                       format_interval(comparison.delta_ppl_ci95));
}

std::string worst_tile(const SensitivityResult& result) {
    if (result.linears.empty()) return "";
    const SensitivityLinear& worst = result.linears.front();
    return tile("Worst linear", format_percent(worst.share_of_damage) + " of damage",
                html_escape(worst.name));
}

std::string tiles(const SensitivityResult& result) {
    return "<div class=\"tiles\">\n" +
           tile("Perplexity, reference", format_significant(result.baseline.ppl, 4),
                scored(result.baseline)) +
           tile("Linears", format_count(static_cast<std::int64_t>(result.linears.size())),
                "each treated alone") +
           worst_tile(result) + "</div>\n";
}

std::string tiles(const DiagnoseResult& result) {
    std::string html = "<div class=\"tiles\">\n" + tile("Perplexity, reference",
                                                        format_significant(result.perplexity.ppl, 4),
                                                        scored(result.perplexity));
    if (result.all_treated.comparison) {
        const Comparison& comparison = *result.all_treated.comparison;
        html += tile("Perplexity, all treated", format_significant(result.all_treated.ppl, 4),
                     change(comparison));
        html += tile("Damage (KL), nats per token", format_significant(comparison.kl_mean),
                     "95 % " + format_interval(comparison.kl_ci95));
        html += tile("Same top token", format_percent(comparison.top1_agreement), "as the reference");
    }
    if (!result.sensitivity.linears.empty())
        html += tile(
            fmt::format("Worst {} of {} linears", result.shares.worst_5_percent.linears.size(),
                        result.sensitivity.linears.size()),
            format_percent(result.shares.worst_5_percent.share_of_damage),
            "of the damage<br>worst 10 %: " + format_percent(result.shares.worst_10_percent.share_of_damage));
    return html + "</div>\n";
}

std::string warnings_html(const SensitivityResult& result) {
    std::string html;
    for (const std::string& warning : warnings_of(result))
        html += "<p class=\"warning\">" + html_escape(warning) + "</p>\n";
    return html;
}

std::string tiles(const BlameResult& result) {
    std::string html = "<div class=\"tiles\">\n" +
                       tile("Perplexity, reference", format_significant(result.sensitivity.baseline.ppl, 4),
                            scored(result.sensitivity.baseline));
    if (result.total.comparison) {
        const Comparison& comparison = *result.total.comparison;
        html += tile("Perplexity", format_significant(result.total.ppl, 4), change(comparison));
        html += tile("Damage (KL), nats per token", format_significant(comparison.kl_mean),
                     "95 % " + format_interval(comparison.kl_ci95) +
                         "<br>linears, added up: " + format_significant(result.linears_kl));
    }
    return html + worst_tile(result.sensitivity) + "</div>\n";
}

template <class Result>
std::string conclusions_html(const Result& result) {
    std::string items;
    for (const std::string& sentence : conclusions_of(result))
        items += "<li>" + html_escape(sentence) + "</li>\n";
    return items.empty() ? "" : "<ul class=\"conclusions\">\n" + items + "</ul>\n";
}

std::string findings_section(const DiagnoseResult& result) {
    if (!result.findings) return "";
    std::string rows;
    for (const FindingRow& f : finding_rows(*result.findings))
        rows += fmt::format(
            "<tr><td><span class=\"mono\">{}</span></td><td>{}<br><span "
            "class=\"sub\">{}</span></td><td>{}</td><td "
            "class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n",
            html_escape(f.linear), html_escape(f.cause), html_escape(f.evidence), html_escape(f.remedy),
            html_escape(f.gain), html_escape(f.price));
    if (rows.empty()) return "<section><h2>Why</h2>\n<p class=\"note\">No cause was found.</p></section>\n";
    return "<section><h2>Why</h2>\n<p class=\"note\">A cause is named where taking it away removes more "
           "damage than it does on random twins of the linear. Gains were measured on windows that decided "
           "nothing.</p>\n<div class=\"scroll\"><table class=\"facts\"><thead><tr><th>linear</th>"
           "<th>why</th><th>remedy</th><th class=\"n\">takes away</th><th class=\"n\">price</th></tr></thead>"
           "<tbody>\n" +
           rows + "</tbody></table></div></section>\n";
}

std::string heatmap_section(const SensitivityResult& result) {
    return "<section><h2>Where the damage sits</h2>\n<p class=\"note\">Each cell is one linear, treated "
           "alone while "
           "everything else stays as in the reference. Rest the pointer on a cell for its numbers.</p>\n"
           "<div class=\"scroll\">" +
           heatmap_svg(result.linears) + "</div></section>\n";
}

std::string propagation_section(const SensitivityResult& result) {
    const std::string svg = propagation_svg(result.linears);
    if (svg.empty()) return "";
    return "<section><h2>How the error travels</h2>\n<p class=\"note\">Relative error of the hidden state "
           "after each "
           "block, for the linears with the most damage; each line starts at its linear's own block.</p>\n" +
           svg + "</section>\n";
}

std::string weight_error_section(const DiagnoseResult& result) {
    const std::string svg = weight_error_svg(result);
    if (svg.empty()) return "";
    return "<section><h2>Does the weight error tell?</h2>\n<p class=\"note\">Each point is a linear. Were "
           "the weight error "
           "all that matters, the points would lie on a rising line.</p>\n" +
           svg + "</section>\n";
}

std::string table_section(const SensitivityResult& result, const WeightsResult* weights) {
    return "<section><h2>All linears by damage</h2>\n<p class=\"note\">Press a column's name to sort by "
           "it.</p>\n"
           "<div class=\"scroll\">\n" +
           damage_table_html(result, weights) + "</div></section>\n";
}

std::string fact(std::string_view name, const std::string& value) {
    return "<tr><th scope=\"row\">" + html_escape(name) + "</th><td class=\"mono\">" + value + "</td></tr>\n";
}

std::string facts_html(const std::vector<Fact>& facts) {
    std::string rows;
    for (const Fact& f : facts)
        rows +=
            fmt::format("<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n",
                        html_escape(f.name), html_escape(f.value), html_escape(f.ci95));
    return "<table class=\"facts\"><thead><tr><th></th><th class=\"n\">value</th><th class=\"n\">95 "
           "%</th></tr>"
           "</thead><tbody>\n" +
           rows + "</tbody></table>\n";
}

std::string quantiles_html(const Comparison& comparison) {
    std::string rows;
    for (const QuantileRow& row : quantile_rows(comparison))
        rows +=
            fmt::format("<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n",
                        html_escape(row.name), html_escape(row.kl), html_escape(row.delta_p));
    if (rows.empty()) return "";
    return "<table class=\"facts\"><thead><tr><th>of single tokens</th><th class=\"n\">KL, nats</th>"
           "<th class=\"n\">Δp, points</th></tr></thead><tbody>\n" +
           rows + "</tbody></table>\n";
}

// `what` moved them.
std::string comparison_section(const std::optional<Comparison>& comparison, const std::string& what) {
    if (!comparison) return "";
    return "<section><h2>How far the predictions move</h2>\n<p class=\"note\">" + what +
           ", beside the reference on the same positions.</p>\n<div class=\"pair tables\">\n" +
           facts_html(comparison_facts(*comparison)) + quantiles_html(*comparison) + "</div></section>\n";
}

constexpr std::size_t kLocatedLinears = 20, kLocatedHeads = 10, kLocatedBlocks = 10;

std::string parts_sections(const SensitivityResult& result) {
    return rows_section("Where in the linears",
                        "Shares of each linear's own damage, by the scores; a share below 0 makes up for "
                        "others' damage.",
                        part_rows(result.linears, kLocatedLinears)) +
           rows_section("Attention heads with the most damage",
                        "A linear's damage times the head's share of it: rows of q, k and v, columns of o.",
                        head_rows(result.linears, kLocatedHeads));
}

std::string settings_section(const Envelope& envelope) {
    std::string rows;
    for (const auto& [name, value] : envelope.settings.items())
        rows += fact(name, html_escape(value.is_string()
                                           ? value.get<std::string>()
                                           : value.dump(-1, ' ', false, Json::error_handler_t::replace)));
    rows += fact("took", format_duration(envelope.seconds));
    for (const InputFile& input : envelope.inputs)
        rows += fact("input", html_escape(input.path) + "<br><span class=\"sub\">sha256 " +
                                  html_escape(input.sha256) + "</span>");
    return "<section><h2>Settings and inputs</h2>\n<table class=\"facts\"><tbody>\n" + rows +
           "</tbody></table></section>\n";
}

// What each number of the page is; docs/results-schema.md has the same formulas for every field.
constexpr std::string_view kDefinitions = R"html(<section><h2>How the numbers are defined</h2>
<dl>
<dt>Perplexity</dt><dd>exp(mean NLL), NLL = −ln p(token | the tokens before it in its window), over all scored positions.</dd>
<dt>Damage (KL)</dt><dd>mean over scored positions of Σ<sub>v</sub> p(v) ln(p(v) / q(v)), p the reference's distribution of the next token, q the treated model's; in nats per token. 0 means identical.</dd>
<dt>Δ perplexity</dt><dd>treated minus reference on the same positions. For a single linear it is often mostly noise of the text: read its interval, and rank by damage.</dd>
<dt>Δp</dt><dd>q(token) − p(token) of the text's own next token, in percentage points; below 0 where the treated model expects it less. RMS: root of the mean square over scored positions.</dd>
<dt>95 % interval</dt><dd>seeded bootstrap over blocks of 64 positions, paired: both models on the same positions.</dd>
<dt>Accuracy</dt><dd>share of the questions whose right choice is the likeliest: by Σ ln p of its tokens (acc), or that divided by its characters (acc_norm). Interval: Wilson; of a difference: Bonett and Price, paired.</dd>
<dt>McNemar</dt><dd>exact two-sided probability of flips at least this uneven, were both directions equally likely.</dd>
<dt>Probability of the right choice</dt><dd>mean of exp(Σ ln p) of the right choice, divided by the sum over the choices.</dd>
<dt>Share</dt><dd>a linear's damage divided by the sum of all linears' damages, each measured with that linear treated alone.</dd>
<dt>Output error</dt><dd>‖X(W − Q)<sup>T</sup>‖ / ‖XW<sup>T</sup>‖ over all positions, X the linear's inputs, W its weights, Q the treated ones.</dd>
<dt>Weight error</dt><dd>‖W − Q‖ / ‖W‖ (Frobenius).</dd>
<dt>SQNR</dt><dd>10 log<sub>10</sub>(‖W‖² / ‖W − Q‖²), in dB; a dash where the weights are exact.</dd>
<dt>Error after a block</dt><dd>‖h′ − h‖ / ‖h‖, h the reference's hidden states after that block, h′ those with one linear treated.</dd>
</dl></section>
)html";

constexpr std::string_view kActivationDefinitions = R"html(<section><h2>How the numbers are defined</h2>
<dl>
<dt>x</dt><dd>one side of a linear over all positions of the windows: its input, or its output with its bias and without a residual; of an expert, the positions routed to it.</dd>
<dt>max/mean</dt><dd>max |x| / mean |x| over all elements; an alert above 100.</dd>
<dt>Outlier channel</dt><dd>its max |x| is over 6 times the mean of all channels' max |x|. Persistent: so within more than half of the windows, each by itself.</dd>
<dt>Massive token</dt><dd>its largest |x| is at least 100 times the mean |x| of its window.</dd>
<dt>Of one token</dt><dd>windows in which one token has more than half of the channel's Σx².</dd>
<dt>f16 headroom</dt><dd>65504 / max |x|; below 1 the tensor overflows in f16.</dd>
<dt>Kurtosis</dt><dd>mean (x − mean)⁴ / std⁴: 3 for Gaussian numbers.</dd>
</dl></section>
)html";

constexpr std::size_t kShownSides = 60, kShownTokens = 20, kShownChannels = 20;

std::string tiles(const ActivationsResult& result, const std::vector<SideOfLinear>& sides) {
    std::string html =
        "<div class=\"tiles\">\n" + tile("Linears", format_count(std::ssize(result.linears)),
                                         fmt::format("{} tokens<br>{} windows", format_count(result.tokens),
                                                     format_count(result.windows)));
    if (!sides.empty()) {
        const SideOfLinear& worst = sides.front();
        html += tile("Largest max/mean", format_significant(worst.side().ratio.value_or(0)),
                     html_escape(worst.linear->name + " " + worst.name()));
    }
    return html + "</div>\n";
}

std::string sections(const ActivationsResult& result) {
    const auto sides = sides_by_ratio(result);
    std::string sentences;
    for (const std::string& sentence : alert_sentences(result))
        sentences += "<li>" + html_escape(sentence) + "</li>\n";
    std::string html = tiles(result, sides) + "<ul class=\"conclusions\">\n" + sentences + "</ul>\n";
    if (const std::string svg = activation_maps_svg(result); !svg.empty())
        html +=
            "<section><h2>Where activations are large</h2>\n<p class=\"note\">Channels across, blocks "
            "down. A column through all blocks is an outlier channel; single cells are massive tokens or "
            "channels of one block.</p>\n<div class=\"scroll\">" +
            svg + "</div></section>\n";
    return html +
           rows_section("Largest max/mean", "Inputs that linears share stand with the first of them.",
                        side_rows(sides, kShownSides)) +
           rows_section("Massive tokens", "The largest; positions count from 0 within a window.",
                        massive_rows(sides, kShownTokens)) +
           rows_section("Outlier channels", "By their share of the side's energy Σx².",
                        channel_rows(sides, kShownChannels));
}

std::string calibration_section(const Envelope& envelope) {
    if (!envelope.calibration) return "";
    return sentences_section("Calibration", calibration_sentences(*envelope.calibration));
}

// Everything between the header and the settings.
std::string sections(const SensitivityResult& result) {
    return warnings_html(result) + tiles(result) + conclusions_html(result) + heatmap_section(result) +
           "<div class=\"pair\">\n" + propagation_section(result) + "</div>\n" +
           table_section(result, nullptr) + parts_sections(result);
}

std::string sections(const BlameResult& result) {
    const WeightsResult weights = weights_of(result);
    const SensitivityResult& linears = result.sensitivity;
    std::string html = warnings_html(linears) + tiles(result) + conclusions_html(result);
    if (!linears.linears.empty())
        html +=
            heatmap_section(linears) + "<div class=\"pair\">\n" + propagation_section(linears) + "</div>\n";
    html += comparison_section(result.total.comparison, "The whole checkpoint");
    if (linears.linears.empty()) return html;
    return html + table_section(linears, &weights) + parts_sections(linears) +
           rows_section("Blocks with the most damage", "The sum over a block's linears, each alone.",
                        block_rows(result, kLocatedBlocks));
}

constexpr std::size_t kShownFactors = 20;

std::string patterns_section(const DiagnoseResult& result) {
    if (!result.patterns) return "";
    return sentences_section("Patterns", pattern_sentences(*result.patterns)) +
           rows_section(
               "Depth and projections",
               "Mean damage of a kind / mean damage of the other linears of blocks; p of a permutation test.",
               pattern_rows(*result.patterns)) +
           rows_section("Indicators", "Spearman's rank correlation with the damage, over linears.",
                        indicator_rows(*result.patterns)) +
           rows_section("Two factors", "Damage = (output error)² x care; care 1 is the median linear's.",
                        factor_rows(*result.patterns, kShownFactors));
}

std::string activations_section(const DiagnoseResult& result) {
    if (!result.activations) return "";
    const auto sides = sides_by_ratio(*result.activations);
    const std::string svg = activation_maps_svg(*result.activations);
    return (svg.empty() ? std::string()
                        : "<section><h2>Where activations are large</h2>\n<div class=\"scroll\">" + svg +
                              "</div></section>\n") +
           rows_section("Largest max/mean of activations",
                        "Inputs that linears share stand with the first of them.",
                        side_rows(sides, kShownFactors));
}

std::string sections(const DiagnoseResult& result) {
    return warnings_html(result.sensitivity) + tiles(result) + conclusions_html(result) +
           findings_section(result) + heatmap_section(result.sensitivity) + "<div class=\"pair\">\n" +
           propagation_section(result.sensitivity) + weight_error_section(result) + "</div>\n" +
           patterns_section(result) + activations_section(result) + weight_sections(result) +
           comparison_section(result.all_treated.comparison, "All linears of the blocks treated") +
           table_section(result.sensitivity, &result.weights) + parts_sections(result.sensitivity);
}

constexpr std::size_t kShownFlips = 100;

std::string sections(const CompareResult& result) {
    return rows_section("All linears of the blocks treated",
                        "Reference perplexity " + format_significant(result.reference.ppl, 5) +
                            ". Bits and bytes are of the treated linears, with scales and zero points; "
                            "output error is the median "
                            "linear's.",
                        compare_rows(result)) +
           sentences_section("More calibration windows", growth_sentences(result));
}

std::string sections(const CompareCalibrationResult& result) {
    return sentences_section("What is shown", calibration_conclusions(result)) +
           rows_section("Calibrated on", "KL in nats per token, the mean over seeds and its range.",
                        calibration_rows(result)) +
           rows_section("Sets beside each other",
                        "Paired over blocks of positions and, where there are several, over seeds.",
                        contrast_rows(result)) +
           rows_section("Task: " + html_escape(calibration_task_title(result)),
                        "Flips and McNemar's exact p are beside the model as it is.",
                        calibration_task_rows(result)) +
           rows_section("Sets beside each other, by accuracy",
                        "Paired over questions and, where there are several, over seeds; q over these and "
                        "the differences in KL together.",
                        accuracy_contrast_rows(result)) +
           rows_section(
               "What the sets span",
               "Effective rank: inputs² / Σ (correlation of two channels)². Overlap: of the channels' "
               "shares of energy with the text's.",
               audit_rows(result));
}

std::string sections(const EvalResult& result) {
    return "<section><h2>" + html_escape(eval_title(result)) + "</h2>\n" + facts_html(eval_facts(result)) +
           "</section>\n" +
           rows_section("Subjects", "Intervals are of each subject alone (Wilson).", subject_rows(result)) +
           rows_section("Flips",
                        "Questions that only one of the two runs answers right, and what they chose.",
                        flip_rows(result, kShownFlips));
}

std::string page(const Envelope& envelope, const std::string& about, const std::string& content,
                 std::string_view definitions = kDefinitions) {
    const std::string version = html_escape(envelope.version);
    const std::string title = html_escape(about);
    const std::string subject =
        envelope.inputs.empty()
            ? ""
            : "<div class=\"sub mono\">" + html_escape(envelope.inputs.front().path) + "</div>";
    std::string html = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
    html += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
    html +=
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
        "'unsafe-inline'; "
        "script-src 'unsafe-inline'\">\n";
    html += "<title>" + title + "</title>\n<style>" + std::string(kPageStyle) +
            "</style>\n</head>\n<body><main>\n";
    html += "<header><div class=\"mark\">Assay " + version + " · " +
            std::string(command_of(envelope.result)) + "</div><h1>" + title + "</h1>" + subject +
            "</header>\n";
    html += content + calibration_section(envelope) + settings_section(envelope) + std::string(definitions);
    html += "<footer>Made by assay " + version +
            " from its results alone; results.json holds every number with its "
            "per-window sums.</footer>\n";
    return html + "</main>\n<script>" + std::string(kPageScript) + "</script>\n</body></html>\n";
}

}  // namespace

std::string html_report(const Envelope& envelope) {
    const auto breaks = [](const std::string& treatment) { return "What " + treatment + " breaks"; };
    if (const auto* result = std::get_if<DiagnoseResult>(&envelope.result))
        return page(envelope, breaks(result->sensitivity.treatment), sections(*result));
    if (const auto* result = std::get_if<SensitivityResult>(&envelope.result))
        return page(envelope, breaks(result->treatment), sections(*result));
    if (const auto* result = std::get_if<BlameResult>(&envelope.result))
        return page(envelope, breaks(result->sensitivity.treatment), sections(*result));
    if (const auto* result = std::get_if<CompareResult>(&envelope.result))
        return page(envelope, "What " + result->what + " cost", sections(*result));
    if (const auto* result = std::get_if<CompareCalibrationResult>(&envelope.result))
        return page(envelope, "What calibration texts are worth", sections(*result));
    if (const auto* result = std::get_if<EvalResult>(&envelope.result))
        return page(envelope, "Accuracy on " + result->task, sections(*result));
    if (const auto* result = std::get_if<ActivationsResult>(&envelope.result))
        return page(envelope, "What goes through the linears", sections(*result), kActivationDefinitions);
    if (const auto* result = std::get_if<WeightsResult>(&envelope.result))
        return page(envelope, "What the weights look like", weight_sections(*result), weight_definitions());
    throw InvalidArgument("there is no page for results of assay " +
                          std::string(command_of(envelope.result)) +
                          "; pages are made from those of diagnose, sensitivity, blame, weights, compare, "
                          "eval and activations");
}

}  // namespace assay
