#include "report/compare_rows.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "report/calibration_facts.h"
#include "report/format.h"

namespace assay {
namespace {

std::string bits_of(const CompareRow& row) {
    return fmt::format("{:.3f}", row.effective_bits);
}

std::string megabytes_of(std::int64_t bytes) {
    return fmt::format("{:.1f}", static_cast<double>(bytes) / 1e6);
}

std::string name_of(const CompareRow& row) {
    return row.name + (row.ragged_linears > 0 ? " (ragged)" : "");
}

std::string change_of(const CompareRow& row) {
    return fmt::format("{:+.2f} %", row.delta_percent);
}

TextRows format_rows(const CompareResult& result) {
    TextRows table{
        {"treatment", "bits", "MB", "output error", "KL, nats", "95 %", "perplexity", "Δ", "same top"}, {}};
    for (const CompareRow& row : result.rows) {
        table.rows.push_back({name_of(row), bits_of(row), megabytes_of(row.bytes),
                              format_percent(row.output_error), format_significant(row.kl),
                              format_interval(row.kl_ci95), format_significant(row.ppl, 5), change_of(row),
                              format_percent(row.top1_agreement)});
    }
    return table;
}

TextRows technique_rows(const CompareResult& result) {
    TextRows table{{"treatment", "bits", "MB", "KL, nats", "95 %", "perplexity", "Δ", "same top", "time",
                    "memory", "kernels"},
                   {}};
    for (const CompareRow& row : result.rows) {
        const auto& kernels = *row.kernels;
        table.rows.push_back({name_of(row), bits_of(row), megabytes_of(row.bytes), format_significant(row.kl),
                              format_interval(row.kl_ci95), format_significant(row.ppl, 5), change_of(row),
                              format_percent(row.top1_agreement), format_duration(row.seconds.value_or(0)),
                              format_bytes(row.peak_bytes.value_or(0)),
                              kernels.empty() ? "none" : fmt::format("{}", fmt::join(kernels, ", "))});
    }
    return table;
}

}  // namespace

TextRows compare_rows(const CompareResult& result) {
    const bool techniques = !result.rows.empty() && result.rows.front().kernels.has_value();
    return techniques ? technique_rows(result) : format_rows(result);
}

std::vector<std::string> growth_sentences(const CompareResult& result) {
    std::vector<std::string> sentences;
    for (const CompareRow& row : result.rows) {
        if (row.growth) sentences.push_back(name_of(row) + ": " + growth_fact(*row.growth));
    }
    return sentences;
}

}  // namespace assay
