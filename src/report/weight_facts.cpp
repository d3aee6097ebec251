#include "report/weight_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <tuple>

#include "report/format.h"

namespace assay {
namespace {

std::string optional_number(const std::optional<double>& value) {
    return value ? format_significant(*value) : std::string(kNoNumber);
}

std::string optional_percent(const std::optional<double>& value) {
    return value ? format_percent(*value) : std::string(kNoNumber);
}

// "247: 4.2 %, 260: 3.8 %"
std::string largest(const std::vector<OutlierChannel>& channels) {
    constexpr std::size_t kNamed = 2;
    std::string text;
    for (std::size_t i = 0; i < std::min(kNamed, channels.size()); ++i)
        text += fmt::format("{}{}: {}", i ? ", " : "", channels[i].index, format_percent(channels[i].share));
    return text.empty() ? std::string(kNoNumber) : text;
}

// A ratio that is not told of a matrix with outliers is infinite.
double stretch(const WeightsLinear& linear) {
    if (linear.range_ratio_4s) return *linear.range_ratio_4s;
    return linear.outliers->outliers_4s > 0 ? std::numeric_limits<double>::infinity() : 0;
}

// Bits, symmetry and group of "int4-sym-g64", to sort by; whole rows last.
std::tuple<int, bool, std::int64_t> place_of(const std::string& format) {
    const auto number_after = [&](std::size_t at) {
        std::int64_t n = 0;
        for (; at < format.size() && format[at] >= '0' && format[at] <= '9' && n < 1'000'000; ++at)
            n = 10 * n + (format[at] - '0');
        return n;
    };
    const std::size_t group = format.find("-g");
    return {static_cast<int>(number_after(3)), format.find("-sym") != std::string::npos,
            group == std::string::npos ? std::numeric_limits<std::int64_t>::max() : number_after(group + 2)};
}

std::string clip_text(const ClipSweepRow& row) {
    if (row.clip == "output") return "least output error";
    if (!row.percentile) return "least squared error";
    return *row.percentile == 1 ? "none" : fmt::format("at {:g} % of |w|", 100 * *row.percentile);
}

// For how many linears each kind of clip is the best, by format and text.
class BestCounts {
  public:
    explicit BestCounts(const WeightsResult& result) {
        for (const WeightsLinear& linear : result.linears) {
            for (const ClipSweepRow& row : linear.clip_sweep.value_or(std::vector<ClipSweepRow>())) {
                auto& [weights, outputs] = counts_[{row.format, clip_text(row)}];
                weights += row.best ? 1 : 0;
                outputs += row.best_output.value_or(false) ? 1 : 0;
            }
        }
    }

    std::string of(const ClipSweepRow& row, bool by_output) const {
        const auto found = counts_.find({row.format, clip_text(row)});
        if (found == counts_.end()) return "";
        const std::int64_t count = by_output ? found->second.second : found->second.first;
        return count == 0 ? "" : format_count(count);
    }

  private:
    std::map<std::pair<std::string, std::string>, std::pair<std::int64_t, std::int64_t>> counts_;
};

// The row without a clip beside the best one.
const ClipSweepRow* unclipped(const std::vector<ClipSweepRow>& rows, const ClipSweepRow* best) {
    const ClipSweepRow* plain = nullptr;
    for (const ClipSweepRow& row : rows) {
        if (best != nullptr && row.format == best->format && row.percentile == 1.0) plain = &row;
    }
    return plain;
}

std::string best_clip_sentence(const ClipSweepRow& best, const ClipSweepRow& plain) {
    if (&best == &plain)
        return fmt::format("No clip beats {} without one over the whole model.", plain.format);
    return fmt::format("The best clip of {} ({}) takes away {} of its squared weight error.", best.format,
                       clip_text(best), format_percent(1 - best.total_error / plain.total_error));
}

std::string best_output_sentence(const ClipSweepRow& best, const ClipSweepRow& plain) {
    const double left = *best.relative_output_error / *plain.relative_output_error;
    return fmt::format(
        "By the error of the linears' outputs, as uncorrelated inputs would have it, the best clip of {} is: "
        "{}. It takes away {} of the squared output error.",
        best.format, clip_text(best), format_percent(1 - left * left));
}

}  // namespace

std::vector<const WeightsLinear*> by_range_ratio(const WeightsResult& result, std::size_t most) {
    std::vector<const WeightsLinear*> found;
    for (const WeightsLinear& linear : result.linears) {
        if (linear.outliers) found.push_back(&linear);
    }
    std::stable_sort(found.begin(), found.end(), [](const WeightsLinear* a, const WeightsLinear* b) {
        return stretch(*a) > stretch(*b);
    });
    found.resize(std::min(most, found.size()));
    return found;
}

TextRows outlier_rows(const std::vector<const WeightsLinear*>& linears) {
    TextRows table{{"linear", "kurtosis", "beyond 4σ", "largest", "range ratio 4σ", "groups of one value",
                    "worst input channels", "worst rows"},
                   {}};
    for (const WeightsLinear* linear : linears) {
        const OutlierDetails& details = *linear->outliers;
        table.rows.push_back(
            {linear->name, optional_number(details.kurtosis), format_count(details.outliers_4s),
             details.outliers_3s > 0 && linear->std > 0
                 ? fmt::format("{} ({:.0f}σ)", format_significant(details.outlier_magnitude),
                               linear->max_abs / linear->std)
                 : std::string(kNoNumber),
             optional_number(linear->range_ratio_4s), optional_percent(details.one_value_groups),
             largest(details.worst_columns), largest(details.worst_rows)});
    }
    return table;
}

TextRows group_sweep_rows(const WeightsResult& result) {
    TextRows table{{"format", "bits of the linears", "of all matrices", "linears", "model", "RMSE",
                    "relative error", "ragged"},
                   {}};
    if (!result.group_sweep) return table;
    std::vector<const GroupSweepTotal*> totals;
    for (const GroupSweepTotal& total : *result.group_sweep) totals.push_back(&total);
    std::stable_sort(totals.begin(), totals.end(), [](const GroupSweepTotal* a, const GroupSweepTotal* b) {
        return place_of(a->linears.format) < place_of(b->linears.format);
    });
    for (const GroupSweepTotal* total : totals) {
        const GroupSweepRow& linears = total->linears;
        table.rows.push_back({linears.format, format_significant(linears.effective_bits, 4),
                              format_significant(total->average_bits, 4), format_bytes(linears.bytes),
                              format_bytes(total->model_bytes), format_significant(linears.rmse),
                              optional_number(linears.relative_error),
                              total->ragged_linears > 0 ? format_count(total->ragged_linears) : ""});
    }
    return table;
}

TextRows clip_sweep_rows(const WeightsResult& result) {
    TextRows table{{"scales", "clip", "clip error", "rounding error", "total error", "relative error",
                    "clipped", "best of linears"},
                   {}};
    if (!result.clip_sweep) return table;
    const BestCounts counts(result);
    const bool outputs = std::any_of(result.clip_sweep->begin(), result.clip_sweep->end(),
                                     [](const ClipSweepRow& row) { return row.relative_output_error; });
    if (outputs) {
        table.header.emplace_back("output error");
        table.header.emplace_back("best by output");
    }
    for (const ClipSweepRow& row : *result.clip_sweep) {
        std::vector<std::string> cells{row.format,
                                       clip_text(row) + (row.best ? " (best)" : ""),
                                       format_significant(row.clip_error),
                                       format_significant(row.rounding_error),
                                       format_significant(row.total_error),
                                       optional_number(row.relative_error),
                                       format_count(row.clipped),
                                       counts.of(row, false)};
        if (outputs) {
            cells.push_back(optional_number(row.relative_output_error) +
                            (row.best_output.value_or(false) ? " (best)" : ""));
            cells.push_back(counts.of(row, true));
        }
        table.rows.push_back(std::move(cells));
    }
    return table;
}

std::vector<std::string> sweep_sentences(const WeightsResult& result) {
    std::vector<std::string> sentences;
    std::int64_t ragged = 0;
    for (const GroupSweepTotal& total : result.group_sweep.value_or(std::vector<GroupSweepTotal>()))
        ragged = std::max(ragged, total.ragged_linears);
    if (ragged > 0)
        sentences.push_back(fmt::format(
            "Ragged: linears whose rows the group size does not divide; their last groups are shorter, with "
            "scales of their own. Most runtimes refuse them: {} linears at most.",
            ragged));
    const ClipSweepRow* best = nullptr;
    const ClipSweepRow* best_output = nullptr;
    const auto rows = result.clip_sweep.value_or(std::vector<ClipSweepRow>());
    for (const ClipSweepRow& row : rows) {
        if (row.best) best = &row;
        if (row.best_output.value_or(false)) best_output = &row;
    }
    const ClipSweepRow* plain = unclipped(rows, best);
    if (plain != nullptr && plain->total_error > 0) sentences.push_back(best_clip_sentence(*best, *plain));
    if (best_output == nullptr || !best_output->relative_output_error) return sentences;
    plain = unclipped(rows, best_output);
    if (plain != nullptr && plain->relative_output_error.value_or(0) > 0)
        sentences.push_back(best_output_sentence(*best_output, *plain));
    return sentences;
}

}  // namespace assay
