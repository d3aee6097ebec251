#include "report/findings_table.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "report/format.h"

namespace assay {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kCauseWords = {{
    {"weight_outliers", "a few large weights"},
    {"varying_range", "range varies inside groups"},
    {"wasted_range", "range wasted on the largest weights"},
    {"salient_channels", "a few loud input channels"},
    {"only_bits_help", "too few bits, nothing else"},
    {"numerics", "numerics"},
    {"already_quantized", "already quantized"},
    {"no_measurable_damage", "no measurable damage"},
}};

std::string words_of(const std::string& cause) {
    for (const auto& [name, words] : kCauseWords) {
        if (name == cause) return std::string(words);
    }
    return cause;
}

std::string gain_text(const Finding& f) {
    if (!f.gain || !f.gain_share) return std::string(kNoNumber);
    return fmt::format("{} ({} nats)", format_percent(*f.gain_share),
                       format_plus_minus(*f.gain, f.gain_ci95));
}

std::string price_text(const Finding& f) {
    if (!f.bytes) return std::string(kNoNumber);
    if (*f.bytes == 0) return "0 B";
    return (*f.bytes > 0 ? "+" : "−") + format_bytes(*f.bytes > 0 ? *f.bytes : -*f.bytes);
}

}  // namespace

std::vector<FindingRow> finding_rows(const std::vector<Finding>& findings) {
    std::vector<FindingRow> rows;
    for (const Finding& f : findings) {
        rows.push_back(
            {f.linear, words_of(f.cause), f.evidence.sentence, f.remedy, gain_text(f), price_text(f)});
    }
    return rows;
}

}  // namespace assay
