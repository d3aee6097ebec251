// Terminal text for each verb's result.
#include "report/text_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_map>

#include "report/activation_facts.h"
#include "report/blame_facts.h"
#include "report/calibration_comparison.h"
#include "report/calibration_facts.h"
#include "report/compare_rows.h"
#include "report/comparison_facts.h"
#include "report/conclusions.h"
#include "report/eval_facts.h"
#include "report/findings_table.h"
#include "report/format.h"
#include "report/pattern_facts.h"
#include "report/table.h"
#include "report/weight_facts.h"

namespace assay {
namespace {

using Align = Table::Align;

std::string optional_number(const std::optional<double>& value, int digits = 3) {
    return value ? format_significant(*value, digits) : std::string(kNoNumber);
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
    std::string text;
    for (std::int64_t d : shape) text += (text.empty() ? "" : " x ") + std::to_string(d);
    return text;
}

std::string rest_line(std::size_t total, std::size_t shown) {
    return total > shown ? fmt::format("… and {} more in results.json\n", total - shown) : "";
}

std::string sentences_text(const std::vector<std::string>& sentences) {
    std::string text;
    for (const std::string& sentence : sentences) text += safe_text(sentence) + "\n";
    return text;
}

std::string scored_line(const PerplexityResult& result) {
    const std::string stride =
        result.stride ? fmt::format(", a window every {}", format_count(*result.stride)) : "";
    return fmt::format("Scored: {} tokens in {} windows of {} (protocol {}{}).\n",
                       format_count(result.tokens_scored),
                       format_count(static_cast<std::int64_t>(result.windows.size())),
                       format_count(result.window_tokens), safe_text(result.protocol), stride);
}

Table facts_table() {
    return Table({{"", Align::kLeft}, {"value", Align::kLeft}, {"95 %", Align::kLeft}});
}

void add_comparison(Table& table, const Comparison& comparison) {
    for (const Fact& fact : comparison_facts(comparison)) table.add_row({fact.name, fact.value, fact.ci95});
}

std::string quantiles_text(const Comparison& comparison) {
    const auto rows = quantile_rows(comparison);
    if (rows.empty()) return "";
    Table table({{"of single tokens", Align::kLeft}, {"KL, nats"}, {"Δp, points"}});
    for (const QuantileRow& row : rows) table.add_row({row.name, row.kl, row.delta_p});
    return "\n" + table.text();
}

std::string body(const PerplexityResult& result, const TextOptions&) {
    Table table = facts_table();
    table.add_row({"perplexity", format_significant(result.ppl, 5),
                   result.ppl_ci95 ? format_interval(result.ppl_ci95, 5) : ""});
    if (result.ppl_standard_error && std::isfinite(result.ppl))
        table.add_row({"  as llama.cpp prints it",
                       fmt::format("{:.4f} ± {:.5f}", result.ppl, *result.ppl_standard_error), ""});
    table.add_row({"NLL, nats per token", format_significant(result.nll_mean, 5), ""});
    if (!result.comparison) return table.text() + "\n" + scored_line(result);
    table.add_row({"perplexity, reference", format_significant(result.comparison->reference_ppl, 5), ""});
    add_comparison(table, *result.comparison);
    std::vector<std::string> facts;
    if (result.calibrated) facts = calibration_facts(*result.calibrated);
    if (result.growth) facts.push_back(growth_fact(*result.growth));
    const std::string calibrated = facts.empty() ? "" : sentences_text(facts);
    return table.text() + quantiles_text(*result.comparison) + "\n" + calibrated + scored_line(result);
}

std::string weights_table(const WeightsResult& result, const TextOptions& options) {
    std::vector<std::size_t> order(result.linears.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return result.linears[a].relative_error.value_or(0) > result.linears[b].relative_error.value_or(0);
    });
    Table table({{"linear", Align::kLeft},
                 {"shape"},
                 {"treatment", Align::kLeft},
                 {"bits"},
                 {"relative error"},
                 {"SQNR, dB"},
                 {"max error"},
                 {"std"},
                 {"max |w|"},
                 {"beyond 3σ"},
                 {"beyond 6σ"},
                 {"range ratio"}});
    const std::size_t shown = std::min(options.top, order.size());
    for (std::size_t i = 0; i < shown; ++i) {
        const WeightsLinear& w = result.linears[order[i]];
        table.add_row({w.name, shape_text(w.shape), w.treatment, format_significant(w.effective_bits, 4),
                       optional_number(w.relative_error), optional_number(w.sqnr_db),
                       format_significant(w.max_abs_error), format_significant(w.std),
                       format_significant(w.max_abs), format_percent(w.outlier_fraction_3s),
                       format_percent(w.outlier_fraction_6s), optional_number(w.range_ratio)});
    }
    return "Linears by relative weight error\n\n" + table.text() + rest_line(order.size(), shown);
}

using WeightsByName = std::unordered_map<std::string, const WeightsLinear*>;

// An estimate's interval is not symmetric.
std::string damage_text(const SensitivityLinear& s) {
    if (s.basis == "scored") return format_significant(s.kl, 2) + " " + format_interval(s.kl_ci95, 2);
    return format_plus_minus(s.kl, s.kl_ci95);
}

// The ranked table; weight errors stand beside the damage where `weights` has them.
std::string damage_table(const SensitivityResult& result, const WeightsByName& weights,
                         const TextOptions& options) {
    std::vector<Table::Column> columns = {
        {"rank"},        {"linear", Align::kLeft}, {"category", Align::kLeft},
        {"KL, nats"},    {"basis", Align::kLeft},  {"share"},
        {"Δ perplexity"}};
    if (!weights.empty()) columns.insert(columns.end(), {{"weight error"}, {"SQNR, dB"}});
    columns.push_back({"recommendation", Align::kLeft});
    Table table(columns);
    const std::size_t shown = std::min(options.top, result.linears.size());
    for (std::size_t i = 0; i < shown; ++i) {
        const SensitivityLinear& s = result.linears[i];
        std::vector<std::string> row = {
            std::to_string(s.rank),
            s.name,
            s.category,
            damage_text(s),
            s.basis,
            format_percent(s.share_of_damage),
            s.delta_ppl ? format_plus_minus(*s.delta_ppl, s.delta_ppl_ci95) : "–"};
        if (!weights.empty()) {
            const auto w = weights.find(s.name);
            const bool known = w != weights.end();
            row.push_back(optional_number(known ? w->second->relative_error : std::nullopt));
            row.push_back(optional_number(known ? w->second->sqnr_db : std::nullopt));
        }
        row.push_back(s.recommendation);
        table.add_row(std::move(row));
    }
    return "Linears by damage, each treated alone (± half of the 95 % interval)\n\n" + table.text() +
           rest_line(result.linears.size(), shown);
}

constexpr std::size_t kLocatedLinears = 10, kLocatedHeads = 5, kLocatedBlocks = 5;

std::string rows_text(const std::string& title, const TextRows& rows) {
    if (rows.rows.empty()) return "";
    std::vector<Table::Column> columns;
    for (const std::string& name : rows.header) columns.push_back({name, Align::kLeft});
    Table table(columns);
    for (const auto& row : rows.rows) table.add_row(row);
    return "\n" + title + "\n\n" + table.text();
}

std::string parts_text(const SensitivityResult& result) {
    return rows_text("Where in the worst linears (shares of each one's damage)",
                     part_rows(result.linears, kLocatedLinears)) +
           rows_text("Attention heads with the most damage", head_rows(result.linears, kLocatedHeads));
}

constexpr std::size_t kShownOutliers = 15, kShownWarnings = 5;

std::string warnings_text(const std::vector<std::string>& warnings) {
    const std::size_t shown = std::min(warnings.size(), kShownWarnings);
    std::string text;
    for (std::size_t i = 0; i < shown; ++i) text += "warning: " + safe_text(warnings[i]) + "\n";
    if (warnings.size() > shown)
        text += fmt::format("… and {} more warnings in results.json\n", warnings.size() - shown);
    return text;
}

std::string body(const WeightsResult& result, const TextOptions& options) {
    const std::string notes = sentences_text(sweep_sentences(result)) +
                              warnings_text(result.warnings.value_or(std::vector<std::string>()));
    return weights_table(result, options) +
           rows_text("Outliers, by how far they stretch the range (shares of the outliers' energy)",
                     outlier_rows(by_range_ratio(result, kShownOutliers))) +
           rows_text("Group sizes: all linears of the blocks rounded to nearest, all else in 16 bits",
                     group_sweep_rows(result)) +
           rows_text("Clips: all linears of the blocks, squared errors summed", clip_sweep_rows(result)) +
           (notes.empty() ? "" : "\n" + notes);
}

WeightsByName by_name(const WeightsResult& weights) {
    WeightsByName found;
    for (const WeightsLinear& linear : weights.linears) found.emplace(linear.name, &linear);
    return found;
}

std::string body(const BlameResult& result, const TextOptions& options) {
    Table table = facts_table();
    table.add_row({"perplexity", format_significant(result.total.ppl, 5), ""});
    table.add_row({"perplexity, reference", format_significant(result.sensitivity.baseline.ppl, 5), ""});
    if (result.total.comparison) add_comparison(table, *result.total.comparison);
    const WeightsResult weights = weights_of(result);
    std::string text = sentences_text(warnings_of(result.sensitivity)) +
                       safe_text(result.sensitivity.treatment) + " beside " + safe_text(result.reference) +
                       "\n" + scored_line(result.total) + "\n" + table.text() + "\n" +
                       sentences_text(conclusions_of(result));
    if (result.sensitivity.linears.empty()) return text;
    return text + "\n" + damage_table(result.sensitivity, by_name(weights), options) +
           parts_text(result.sensitivity) +
           rows_text("Blocks with the most damage", block_rows(result, kLocatedBlocks)) + "\n";
}

std::string body(const SensitivityResult& result, const TextOptions& options) {
    return sentences_text(warnings_of(result)) + "Treatment: " + safe_text(result.treatment) +
           "\nBaseline perplexity: " + format_significant(result.baseline.ppl, 5) + "\n" +
           scored_line(result.baseline) + "\n" + damage_table(result, {}, options) + parts_text(result) +
           "\n" + sentences_text(conclusions_of(result));
}

// What is wrong with the linears, and what mends it.
std::string findings_text(const DiagnoseResult& result, const TextOptions& options) {
    if (!result.findings) return "";
    if (result.findings->empty()) return "Why: no cause was found.\n\n";
    const auto rows = finding_rows(*result.findings);
    const std::size_t shown = std::min(options.top, rows.size());
    Table table({{"linear", Align::kLeft},
                 {"why", Align::kLeft},
                 {"remedy", Align::kLeft},
                 {"takes away", Align::kLeft},
                 {"price"}});
    for (std::size_t i = 0; i < shown; ++i)
        table.add_row({rows[i].linear, rows[i].cause, rows[i].remedy, rows[i].gain, rows[i].price});
    // The same evidence is told once, with the first of its linears.
    std::vector<std::string> sentences;
    for (std::size_t i = 0; i < shown; ++i) {
        const auto same = [&](const auto& row) { return row.evidence == rows[i].evidence; };
        if (std::find_if(rows.begin(), rows.end(), same) - rows.begin() != static_cast<std::ptrdiff_t>(i))
            continue;
        const auto count = std::count_if(rows.begin(), rows.end(), same);
        const std::string others = count > 1 ? fmt::format(" and {} more", count - 1) : "";
        sentences.push_back(rows[i].linear + others + ": " + rows[i].evidence);
    }
    return "Why (gains measured on windows that decided nothing)\n\n" + table.text() +
           rest_line(rows.size(), shown) + "\n" + sentences_text(sentences) + "\n";
}

constexpr std::size_t kShownFactors = 5;

std::string patterns_text(const DiagnoseResult& result) {
    if (!result.patterns) return "";
    return rows_text("Patterns (mean damage of a kind beside that of the other linears)",
                     pattern_rows(*result.patterns)) +
           rows_text("Which indicator ranks the linears as their damage does",
                     indicator_rows(*result.patterns)) +
           rows_text("Damage = (how badly it rounds)² x (how much the model cares)",
                     factor_rows(*result.patterns, kShownFactors)) +
           "\n" + sentences_text(pattern_sentences(*result.patterns));
}

// The loudest of the activations.
std::string activations_text(const DiagnoseResult& result) {
    if (!result.activations) return "";
    return sentences_text(alert_sentences(*result.activations));
}

std::string body(const DiagnoseResult& result, const TextOptions& options) {
    const WeightsByName weights = by_name(result.weights);
    Table table = facts_table();
    table.add_row({"perplexity, reference", format_significant(result.perplexity.ppl, 5), ""});
    table.add_row({"perplexity, all linears treated", format_significant(result.all_treated.ppl, 5), ""});
    if (result.all_treated.comparison) add_comparison(table, *result.all_treated.comparison);
    return sentences_text(warnings_of(result.sensitivity)) +
           "Treatment: " + safe_text(result.sensitivity.treatment) + "\n" + scored_line(result.perplexity) +
           "\n" + table.text() + "\n" + damage_table(result.sensitivity, weights, options) +
           parts_text(result.sensitivity) + "\n" + findings_text(result, options) + patterns_text(result) +
           activations_text(result) + sentences_text(sweep_sentences(result.weights)) +
           sentences_text(conclusions_of(result));
}

std::string config_line(const ConfigSummary& c) {
    return fmt::format(
        "Blocks {}, hidden {}, intermediate {}, heads {} ({} key/value) of {}, vocabulary {}, positions {}, "
        "rope base {} "
        "(scaling {}), {} head.\n",
        c.layers, c.hidden, c.intermediate, c.heads, c.kv_heads, c.head_dim, format_count(c.vocabulary),
        format_count(c.max_positions), c.rope_theta, safe_text(c.rope_scaling),
        c.tied_head ? "tied" : "separate");
}

std::string body(const InspectResult& result, const TextOptions& options) {
    Table types({{"type", Align::kLeft}, {"tensors"}, {"parameters"}, {"size"}});
    for (const DtypeTotal& total : result.dtype_totals)
        types.add_row({total.dtype, format_count(total.tensors), format_count(total.parameters),
                       format_bytes(total.bytes)});
    types.add_row({"all", format_count(static_cast<std::int64_t>(result.tensors.size())),
                   format_count(result.parameters), format_bytes(result.bytes)});
    Table tensors({{"tensor", Align::kLeft}, {"type", Align::kLeft}, {"shape"}, {"size"}});
    const std::size_t shown = std::min(options.top, result.tensors.size());
    for (std::size_t i = 0; i < shown; ++i) {
        const InspectTensor& t = result.tensors[i];
        tensors.add_row({t.name, t.dtype, shape_text(t.shape), format_bytes(t.bytes)});
    }
    std::string text = safe_text(result.path) + "\n" + safe_text(result.architecture) + ", " +
                       safe_text(result.format) + ", " + format_count(result.linear_count) +
                       " quantizable linears\n";
    text += result.config ? config_line(*result.config) : "Assay cannot run this architecture.\n";
    text += "\n" + types.text() + "\n" + tensors.text() + rest_line(result.tensors.size(), shown);
    for (const std::string& warning : result.warnings) text += "warning: " + safe_text(warning) + "\n";
    return text;
}

std::string body(const PredictResult& r, const TextOptions&) {
    const auto size = [](double bytes) { return format_bytes(static_cast<std::int64_t>(bytes)); };
    const auto row = [](const char* name, std::string value) {
        return std::vector<std::string>{name, std::move(value)};
    };
    Table table({{"", Align::kLeft}, {"predicted"}});
    table.add_row(row("time", format_duration(r.seconds)));
    table.add_row(row("memory, at most", size(r.memory_bytes)));
    table.add_row(row("  the program", size(r.base_bytes)));
    table.add_row(row("  one block's weights", size(r.block_bytes)));
    table.add_row(row("  its activations", size(r.chunk_bytes)));
    table.add_row(row("  hidden states", size(r.state_bytes)));
    table.add_row(row("  output layer and scores", size(r.head_bytes)));
    table.add_row(row("least possible --memory", size(r.least_bytes)));
    const std::string disk = r.disk_gib > 0 ? fmt::format(", reading {:.2f} GiB/s", r.disk_gib) : "";
    return fmt::format("A {} of {} windows of {}: {} weights, {:.3g} GFLOP a token\n\n", r.measurement,
                       format_count(r.windows), format_count(r.window_tokens), format_count(r.parameters),
                       r.flops_per_token / 1e9) +
           table.text() +
           fmt::format(
               "\nMeasured here: linears {:.0f}, attention {:.0f}, output layer {:.0f} GFLOP/s; "
               "packing {:.2f} G weights/s{}.\n",
               r.linear_gflops, r.attention_gflops, r.head_gflops, r.load_gweights, disk);
}

std::string body(const CompareResult& result, const TextOptions&) {
    return "Reference perplexity: " + format_significant(result.reference.ppl, 5) + "\n" +
           scored_line(result.reference) +
           rows_text("All linears of the blocks treated", compare_rows(result)) + "\n" +
           sentences_text(growth_sentences(result));
}

std::string body(const CompareCalibrationResult& result, const TextOptions&) {
    return rows_text("Calibrated on (KL in nats, mean over seeds)", calibration_rows(result)) +
           rows_text("Sets beside each other", contrast_rows(result)) +
           rows_text("Task: " + calibration_task_title(result), calibration_task_rows(result)) +
           rows_text("Sets beside each other, by accuracy", accuracy_contrast_rows(result)) +
           rows_text("What the sets span (medians over inputs)", audit_rows(result)) + "\n" +
           sentences_text(calibration_conclusions(result));
}

std::string body(const EvalResult& result, const TextOptions& options) {
    Table table = facts_table();
    for (const Fact& fact : eval_facts(result)) table.add_row({fact.name, fact.value, fact.ci95});
    return eval_title(result) + "\n\n" + table.text() + rows_text("Subjects", subject_rows(result)) +
           rows_text("Flips", flip_rows(result, options.top)) + "\n";
}

constexpr std::size_t kShownTokens = 10, kShownChannels = 10;

std::string body(const ActivationsResult& result, const TextOptions& options) {
    const auto sides = sides_by_ratio(result);
    return fmt::format("{} linears on {} tokens in {} windows\n", format_count(std::ssize(result.linears)),
                       format_count(result.tokens), format_count(result.windows)) +
           sentences_text(alert_sentences(result)) +
           rows_text("Inputs and outputs by max/mean (inputs that linears share: with the first of them)",
                     side_rows(sides, options.top)) +
           rest_line(sides.size(), std::min(options.top, sides.size())) +
           rows_text("Largest massive tokens (positions count from 0 in their window)",
                     massive_rows(sides, kShownTokens)) +
           rows_text("Outlier channels with most energy", channel_rows(sides, kShownChannels)) + "\n";
}

std::string calibration_text(const std::optional<CalibrationRecord>& calibration) {
    return calibration ? sentences_text(calibration_sentences(*calibration)) : "";
}

std::string noise_text(const std::optional<NoiseFloor>& noise) {
    if (!noise) return "";
    return fmt::format("Rounding alone moves the predictions by {:.2g} nats of KL ({} beside {}).\n",
                       noise->kl, noise->backend, noise->against);
}

std::string times_text(const std::optional<RunCost>& cost) {
    std::string text;
    if (!cost || !cost->parts) return text;
    for (const PartCost& part : *cost->parts)
        text +=
            (text.empty() ? "Parts: " : ", ") + safe_text(part.name) + " " + format_duration(part.seconds);
    return text + ".\n";
}

// What a long run took beside what was predicted.
std::string cost_text(const std::optional<RunCost>& cost) {
    if (!cost) return "";
    return fmt::format(
        ", predicted {}; at most {} of memory, predicted {}; {} a block, {:.0f} % of it waiting for the disk",
        format_duration(cost->predicted_seconds), format_bytes(static_cast<std::int64_t>(cost->peak_bytes)),
        format_bytes(static_cast<std::int64_t>(cost->predicted_bytes)),
        format_duration(cost->seconds_per_block), 100 * cost->disk_share);
}

}  // namespace

std::string text_report(const Envelope& envelope, const TextOptions& options) {
    return std::visit([&](const auto& result) { return body(result, options); }, envelope.result) +
           calibration_text(envelope.calibration) + noise_text(envelope.noise_floor) +
           times_text(envelope.cost) + "Took " + format_duration(envelope.seconds) +
           cost_text(envelope.cost) + ".\n";
}

}  // namespace assay
