#include "report/calibration_comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "report/format.h"
#include "report/median.h"

namespace assay {
namespace {

// Runs that differ in their seed alone.
using Key =
    std::tuple<std::string, std::string, std::int64_t, std::int64_t>;  // treatment, set, samples, length

std::vector<std::pair<Key, std::vector<const CalibrationRun*>>> by_choice(
    const CompareCalibrationResult& result) {
    std::vector<std::pair<Key, std::vector<const CalibrationRun*>>> out;
    for (const CalibrationRun& run : result.runs) {
        const Key key{run.treatment, run.set, run.samples, run.length};
        auto place =
            std::find_if(out.begin(), out.end(), [&](const auto& group) { return group.first == key; });
        if (place == out.end()) place = out.insert(place, {key, {}});
        place->second.push_back(&run);
    }
    return out;
}

struct Range {
    double mean = 0, least = 0, most = 0;
};

Range kl_range(const std::vector<const CalibrationRun*>& runs, std::size_t text) {
    Range out{0, runs.front()->evaluations[text].kl, runs.front()->evaluations[text].kl};
    for (const CalibrationRun* run : runs) {
        const double kl = run->evaluations[text].kl;
        out.mean += kl / static_cast<double>(runs.size());
        out.least = std::min(out.least, kl);
        out.most = std::max(out.most, kl);
    }
    return out;
}

std::string windows_text(std::int64_t samples, std::int64_t length) {
    return fmt::format("{} x {}", format_count(samples), format_count(length));
}

// Whether random tokens lose against every other set on each text, of one treatment.
std::string random_sentence(const CompareCalibrationResult& result, const std::string& treatment) {
    std::size_t contrasts = 0, lost = 0;
    for (const CalibrationContrast& c : result.contrasts) {
        if (c.treatment != treatment || (c.better != "random" && c.worse != "random")) continue;
        ++contrasts;
        if (c.worse == "random" && c.shown) ++lost;
    }
    if (contrasts == 0) return "";
    if (lost == contrasts)
        return fmt::format("{}: random tokens are the worst calibration on every text.",
                           safe_text(treatment));
    return fmt::format(
        "{}: random tokens are not shown to be the worst calibration: worse in {} of {} comparisons.",
        safe_text(treatment), lost, contrasts);
}

// "by" is how the worse one is worse, in nats or points.
TextRows rows_of(const std::vector<CalibrationContrast>& contrasts, const std::string& by, double unit) {
    TextRows table{{"on", "better", "than", by, "95 %", "q", "shown"}, {}};
    for (const CalibrationContrast& c : contrasts) {
        std::optional<Interval> interval = c.difference_ci95;
        if (interval) interval = Interval{unit * interval->low, unit * interval->high};
        table.rows.push_back({safe_text(c.text), safe_text(c.better), safe_text(c.worse),
                              format_significant(unit * c.difference), format_interval(interval),
                              format_significant(c.q_value, 2), c.shown ? "yes" : "no"});
    }
    return table;
}

// Which sets answer more questions right.
std::vector<std::string> accuracy_sentences(const CompareCalibrationResult& result) {
    std::vector<std::string> out;
    if (!result.accuracy_contrasts || result.accuracy_contrasts->empty()) return out;
    for (const CalibrationContrast& c : *result.accuracy_contrasts) {
        if (!c.shown) continue;
        out.push_back(
            fmt::format("{}: calibrated on {} it answers more questions of {} right than on {}, by {:.1f} "
                        "points of accuracy.",
                        safe_text(c.treatment), safe_text(c.better), safe_text(c.text), safe_text(c.worse),
                        100 * c.difference));
    }
    if (out.empty()) {
        out.push_back(fmt::format("No set is shown to answer more questions of {} right than another one.",
                                  safe_text(result.accuracy_contrasts->front().text)));
    }
    return out;
}

}  // namespace

TextRows calibration_rows(const CompareCalibrationResult& result) {
    TextRows table{{"calibrated on", "windows", "treatment"}, {}};
    for (const EvaluationOutcome& text : result.references) {
        table.header.push_back("KL, " + safe_text(text.text));
        table.header.push_back("seeds");
    }
    for (const auto& [key, runs] : by_choice(result)) {
        std::vector<std::string> row{safe_text(std::get<1>(key)),
                                     windows_text(std::get<2>(key), std::get<3>(key)),
                                     safe_text(std::get<0>(key))};
        for (std::size_t e = 0; e < result.references.size(); ++e) {
            const Range range = kl_range(runs, e);
            row.push_back(format_significant(range.mean));
            row.push_back(runs.size() < 2 ? "1"
                                          : fmt::format("{} to {}", format_significant(range.least),
                                                        format_significant(range.most)));
        }
        table.rows.push_back(std::move(row));
    }
    return table;
}

TextRows contrast_rows(const CompareCalibrationResult& result) {
    return rows_of(result.contrasts, "by, nats", 1);
}

TextRows accuracy_contrast_rows(const CompareCalibrationResult& result) {
    if (!result.accuracy_contrasts) return {};
    return rows_of(*result.accuracy_contrasts, "by, points", 100);
}

std::string calibration_task_title(const CompareCalibrationResult& result) {
    if (!result.task) return "";
    return fmt::format("{}, {}, {} questions", safe_text(result.task->task), safe_text(result.task->metric),
                       format_count(result.task->questions));
}

TextRows calibration_task_rows(const CompareCalibrationResult& result) {
    if (!result.task) return {};
    TextRows table{{"calibrated on", "windows", "seed", "treatment", "accuracy", "95 %", "right → wrong",
                    "wrong → right", "p (McNemar)"},
                   {}};
    const std::string none(kNoNumber);
    table.rows.push_back({"(the model as it is)", none, none, none, format_percent(result.task->accuracy),
                          format_percent_interval(result.task->accuracy_ci95), none, none, none});
    for (const CalibrationRun& run : result.runs) {
        if (!run.task) continue;
        const EvalComparison& beside = run.task->comparison;
        table.rows.push_back(
            {safe_text(run.set), windows_text(run.samples, run.length), format_count(run.seed),
             safe_text(run.treatment), format_percent(run.task->accuracy),
             format_percent_interval(run.task->accuracy_ci95), format_count(beside.flips_to_wrong),
             format_count(beside.flips_to_right), format_significant(beside.mcnemar_p)});
    }
    return table;
}

TextRows audit_rows(const CompareCalibrationResult& result) {
    TextRows table{{"set", "effective rank / inputs", "least", "in"}, {}};
    for (const EvaluationOutcome& text : result.references)
        table.header.push_back("overlap, " + safe_text(text.text));
    std::map<std::string, std::vector<const InputAudit*>> sets;
    for (const InputAudit& audit : result.audits) sets[audit.set].push_back(&audit);
    for (const auto& [set, audits] : sets) {
        std::vector<double> shares;
        const InputAudit* poorest = audits.front();
        const auto share = [](const InputAudit& a) {
            return a.effective_rank / static_cast<double>(std::max<std::int64_t>(1, a.inputs));
        };
        for (const InputAudit* audit : audits) {
            shares.push_back(share(*audit));
            if (shares.back() < share(*poorest)) poorest = audit;
        }
        std::vector<std::string> row{safe_text(set), format_percent(median(shares)),
                                     format_percent(share(*poorest)), safe_text(poorest->linear)};
        for (std::size_t e = 0; e < result.references.size(); ++e) {
            std::vector<double> overlaps;
            for (const InputAudit* audit : audits) overlaps.push_back(audit->energy_overlap[e]);
            row.push_back(format_percent(median(overlaps)));
        }
        table.rows.push_back(std::move(row));
    }
    return table;
}

std::vector<std::string> calibration_conclusions(const CompareCalibrationResult& result) {
    std::vector<std::string> out, treatments;
    for (const CalibrationRun& run : result.runs) {
        if (std::find(treatments.begin(), treatments.end(), run.treatment) == treatments.end())
            treatments.push_back(run.treatment);
    }
    const auto shown = std::count_if(result.contrasts.begin(), result.contrasts.end(),
                                     [](const CalibrationContrast& c) { return c.shown; });
    out.push_back(fmt::format("{} of {} differences between sets{} are shown (false discoveries at 5 %).",
                              shown, result.contrasts.size(), result.task ? " in KL" : ""));
    for (const std::string& treatment : treatments) {
        const std::string sentence = random_sentence(result, treatment);
        if (!sentence.empty()) out.push_back(sentence);
    }
    for (std::string& sentence : accuracy_sentences(result)) out.push_back(std::move(sentence));
    return out;
}

}  // namespace assay
