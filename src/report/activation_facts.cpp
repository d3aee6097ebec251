#include "report/activation_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "report/format.h"

namespace assay {
namespace {

std::string optional_number(const std::optional<double>& value) {
    return value ? format_significant(*value) : std::string(kNoNumber);
}

struct Alert {
    std::string_view code, sentence;
};

constexpr std::array<Alert, 5> kAlerts = {
    {{"f16_overflow", "Beyond 65504, the largest f16 number"},
     {"f16_close", "Beyond a quarter of the largest f16 number"},
     {"massive_tokens", "With tokens of at least 100 times the mean |x| of their window"},
     {"persistent_channels", "With the same outlier channels in most windows"},
     {"max_mean_ratio", "With a largest |x| over 100 times the mean"}}};

bool raises(const ActivationSide& side, std::string_view code) {
    return std::find(side.alerts.begin(), side.alerts.end(), code) != side.alerts.end();
}

std::string plural(std::int64_t count, const char* noun) {
    return fmt::format("{} {}{}", format_count(count), noun, count == 1 ? "" : "s");
}

// Rows of all sides' lists, the best by `key` first.
template <class Item, class Key, class Row>
void add_best(const std::vector<SideOfLinear>& sides, std::vector<Item> ActivationSide::*list,
              std::size_t most, const Key& key, const Row& row, TextRows& table) {
    std::vector<std::pair<const SideOfLinear*, const Item*>> all;
    for (const SideOfLinear& s : sides) {
        for (const Item& item : s.side().*list) all.emplace_back(&s, &item);
    }
    std::stable_sort(all.begin(), all.end(),
                     [&](const auto& a, const auto& b) { return key(*a.second) > key(*b.second); });
    for (std::size_t i = 0; i < std::min(most, all.size()); ++i) {
        std::vector<std::string> cells{all[i].first->linear->name, all[i].first->name()};
        for (std::string& cell : row(all[i].first->side(), *all[i].second)) cells.push_back(std::move(cell));
        table.rows.push_back(std::move(cells));
    }
}

}  // namespace

std::string SideOfLinear::name() const {
    const bool tied = linear->embedding.has_value();
    if (kind == Kind::kEmbedding) return "embedding's output";
    if (kind == Kind::kInput) return tied ? "head's input" : "input";
    return tied ? "logits" : "output";
}

std::vector<SideOfLinear> sides_of(const ActivationsLinear& linear) {
    std::vector<SideOfLinear> sides;
    if (linear.input) sides.push_back({&linear, SideOfLinear::Kind::kInput});
    sides.push_back({&linear, SideOfLinear::Kind::kOutput});
    if (linear.embedding) sides.push_back({&linear, SideOfLinear::Kind::kEmbedding});
    return sides;
}

std::vector<SideOfLinear> sides_by_ratio(const ActivationsResult& result) {
    std::vector<SideOfLinear> sides;
    for (const ActivationsLinear& linear : result.linears) {
        for (const SideOfLinear& s : sides_of(linear)) {
            const bool elsewhere = s.kind == SideOfLinear::Kind::kInput && linear.shares_input_with;
            if (!elsewhere && s.side().rows > 0) sides.push_back(s);
        }
    }
    const auto ratio = [](const SideOfLinear& s) {
        const double value = s.side().ratio.value_or(0);
        return std::isnan(value) ? 0 : value;
    };
    std::stable_sort(sides.begin(), sides.end(),
                     [&](const SideOfLinear& a, const SideOfLinear& b) { return ratio(a) > ratio(b); });
    return sides;
}

std::vector<std::string> alert_sentences(const ActivationsResult& result) {
    const auto sides = sides_by_ratio(result);
    std::vector<std::string> sentences;
    for (const Alert& alert : kAlerts) {
        std::int64_t inputs = 0, outputs = 0, tokens = 0, first = 0;
        for (const SideOfLinear& s : sides) {
            if (!raises(s.side(), alert.code)) continue;
            ++(s.kind == SideOfLinear::Kind::kInput ? inputs : outputs);
            tokens += s.side().massive_tokens;
            first += s.side().massive_first_tokens;
        }
        if (inputs + outputs == 0) continue;
        std::string sentence = fmt::format("{}: ", alert.sentence);
        if (inputs > 0) sentence += plural(inputs, "input") + (outputs > 0 ? ", " : "");
        if (outputs > 0) sentence += plural(outputs, "output");
        if (alert.code == "massive_tokens" && tokens > 0)
            sentence += fmt::format("; {} of these tokens are a window's first",
                                    format_percent(static_cast<double>(first) / static_cast<double>(tokens)));
        sentences.push_back(sentence + ".");
    }
    if (sentences.empty()) sentences.emplace_back("No input and no output raises an alert.");
    return sentences;
}

TextRows side_rows(const std::vector<SideOfLinear>& sides, std::size_t most) {
    TextRows table{{"linear", "side", "max |x|", "mean |x|", "max/mean", "kurtosis", "outlier channels",
                    "persistent", "massive tokens", "f16 headroom"},
                   {}};
    for (std::size_t i = 0; i < std::min(most, sides.size()); ++i) {
        const ActivationSide& s = sides[i].side();
        table.rows.push_back(
            {sides[i].linear->name, sides[i].name(), format_significant(s.max),
             format_significant(s.mean_abs), optional_number(s.ratio), optional_number(s.kurtosis),
             fmt::format("{} of {}", s.outlier_channels, s.channels), format_count(s.persistent_channels),
             s.massive_tokens == 0 ? "0"
                                   : fmt::format("{}, {} first", s.massive_tokens, s.massive_first_tokens),
             optional_number(s.f16_headroom)});
    }
    return table;
}

TextRows massive_rows(const std::vector<SideOfLinear>& sides, std::size_t most) {
    TextRows table{{"linear", "side", "window", "position", "channel", "value", "x mean |x|"}, {}};
    add_best(
        sides, &ActivationSide::massive, most,
        [](const MassiveActivation& m) { return std::isnan(m.value) ? 0 : std::abs(m.value); },
        [](const ActivationSide& s, const MassiveActivation& m) {
            return std::vector<std::string>{std::to_string(m.window), std::to_string(m.position),
                                            std::to_string(m.channel), format_significant(m.value),
                                            format_significant(std::abs(m.value) / s.mean_abs)};
        },
        table);
    return table;
}

TextRows channel_rows(const std::vector<SideOfLinear>& sides, std::size_t most) {
    TextRows table{{"linear", "side", "channel", "max |x|", "share of energy", "windows", "of one token"},
                   {}};
    add_best(
        sides, &ActivationSide::outliers, most,
        [](const ActivationOutlier& c) { return std::isnan(c.energy_share) ? 0 : c.energy_share; },
        [](const ActivationSide& s, const ActivationOutlier& c) {
            return std::vector<std::string>{
                std::to_string(c.channel), format_significant(c.max), format_percent(c.energy_share),
                fmt::format("{} of {}", c.windows, s.windows), std::to_string(c.token_windows)};
        },
        table);
    return table;
}

std::vector<std::string> calibration_sentences(const CalibrationRecord& c) {
    std::int64_t documents = 0;
    for (const CalibrationSource& source : c.sources) documents += source.documents;
    const std::string files = c.sources.size() == 1 ? c.sources.front().name
                                                    : fmt::format("{} ({} texts)", c.set, c.sources.size());
    std::vector<std::string> sentences{
        fmt::format("Calibrated on {} windows of {} tokens{} from {}, {} (seed {}).", format_count(c.samples),
                    format_count(c.length), c.bos_per_window ? ", each with BOS," : "", files,
                    plural(documents, "document"), c.seed)};
    for (const CalibrationWarningRecord& warning : c.warnings)
        sentences.push_back("Warning: " + warning.text + ".");
    return sentences;
}

}  // namespace assay
