#include "analyze/calibration_contrasts.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "stats/false_discovery.h"
#include "stats/proportions.h"
#include "stats/spread.h"
#include "stats/student.h"

namespace assay {
namespace {

constexpr double kRate = 0.05;

// What one run lost, of the units that all runs share: blocks of positions, or questions.
struct Losses {
    std::vector<double> lost;  // nats; or 1 for a wrong answer
    std::vector<double> size;  // tokens; or 1
};

using SeedRuns = std::vector<Losses>;  // of one set, one a seed

Losses losses_of(const std::vector<BlockSums>& blocks) {
    Losses out;
    for (const BlockSums& block : blocks) {
        out.lost.push_back(block.kl_sum);
        out.size.push_back(static_cast<double>(block.tokens));
    }
    return out;
}

Losses losses_of(const TaskOutcome& task) {
    Losses out;
    for (const std::int64_t correct : task.correct) out.lost.push_back(correct != 0 ? 0 : 1);
    out.size.assign(out.lost.size(), 1);
    return out;
}

double sum_of(const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0);
}

// Averaged over seeds.
std::vector<double> averaged(const SeedRuns& runs) {
    std::vector<double> out(runs.front().lost.size());
    for (const Losses& run : runs) {
        if (run.lost.size() != out.size())
            throw InvalidArgument("calibrations are compared on the same blocks of positions, or questions");
        for (std::size_t i = 0; i < out.size(); ++i) out[i] += run.lost[i] / static_cast<double>(runs.size());
    }
    return out;
}

// Variance over seeds of a set's mean loss, divided by their number.
double luck(const SeedRuns& runs) {
    if (runs.size() < 2) return 0;
    std::vector<double> means;
    for (const Losses& run : runs) means.push_back(sum_of(run.lost) / sum_of(run.size));
    const auto n = static_cast<double>(means.size());
    const double mean = sum_of(means) / n;
    double squares = 0;
    for (double m : means) squares += (m - mean) * (m - mean);
    return squares / (n - 1) / n;
}

struct Tested {
    CalibrationContrast contrast;
    double p_value = 1;
    bool of_accuracy = false;
};

// Student's test of b's mean loss less a's, from each one's losses averaged over seeds.
Tested compare(const SeedRuns& a, const SeedRuns& b, const std::vector<double>& of_a,
               const std::vector<double>& of_b) {
    const std::vector<double>& size = a.front().size;
    const double all = sum_of(size);
    double difference = 0;
    for (std::size_t i = 0; i < of_a.size(); ++i) difference += (of_b[i] - of_a[i]) / all;
    Tested out;
    out.contrast.difference = difference;
    const auto n = static_cast<double>(of_a.size());
    if (n < 2) return out;
    double squares = 0;
    for (std::size_t i = 0; i < of_a.size(); ++i) {
        const double u = n * (of_b[i] - of_a[i] - difference * size[i]) / all;
        squares += u * u;
    }
    const double seeds = static_cast<double>(a.size() + b.size()) - 2;
    const Spread spread =
        combined_spread({squares / n / (n - 1), n - 1}, {luck(a) + luck(b), std::max(1.0, seeds)});
    if (!(spread.error > 0)) return out;
    const double half = student_quantile(0.975, spread.freedom) * spread.error;
    out.contrast.difference_ci95 = Interval{difference - half, difference + half};
    out.p_value = std::min(1.0, 2 * student_upper_tail(std::abs(difference) / spread.error, spread.freedom));
    return out;
}

// The exact test of questions, beside Student's or with one seed in its place.
void test_exactly(const std::vector<double>& of_a, const std::vector<double>& of_b, bool one_seed,
                  Tested& tested) {
    std::int64_t a_only = 0, b_only = 0;
    for (std::size_t q = 0; q < of_a.size(); ++q) {
        a_only += of_a[q] < of_b[q] ? 1 : 0;
        b_only += of_b[q] < of_a[q] ? 1 : 0;
    }
    const double exact = mcnemar_p_value(b_only, a_only);
    tested.p_value = one_seed ? exact : std::max(exact, tested.p_value);
    if (one_seed)
        tested.contrast.difference_ci95 = paired_difference_interval(b_only, a_only, std::ssize(of_a));
}

// Names the better one first; then the difference is not negative.
void orient(const std::string& a, const std::string& b, CalibrationContrast& contrast) {
    contrast.better = contrast.difference >= 0 ? a : b;
    contrast.worse = contrast.difference >= 0 ? b : a;
    if (contrast.difference >= 0) return;
    contrast.difference = -contrast.difference;
    if (contrast.difference_ci95)
        contrast.difference_ci95 = Interval{-contrast.difference_ci95->high, -contrast.difference_ci95->low};
}

// What sets are compared by: KL on one text, or the accuracy on the task.
struct Measure {
    std::string treatment;
    std::int64_t samples = 0, length = 0;
    std::size_t place = 0;  // of the text among a run's; of the task: behind them
    std::string name;
    bool of_accuracy = false;
    std::vector<std::pair<std::string, SeedRuns>> sets{};

    auto key() const { return std::tie(treatment, samples, length, place); }

    void add(const std::string& set, Losses run) {
        auto found =
            std::find_if(sets.begin(), sets.end(), [&](const auto& known) { return known.first == set; });
        if (found == sets.end()) found = sets.insert(found, {set, {}});
        found->second.push_back(std::move(run));
    }
};

// In the order in which they come.
std::vector<Measure> measures_of(std::span<const CalibrationRun> runs) {
    std::vector<Measure> all;
    const auto add = [&](const CalibrationRun& run, Measure measure, Losses losses) {
        auto found =
            std::find_if(all.begin(), all.end(), [&](const Measure& m) { return m.key() == measure.key(); });
        if (found == all.end()) found = all.insert(found, std::move(measure));
        found->add(run.set, std::move(losses));
    };
    for (const CalibrationRun& run : runs) {
        for (std::size_t e = 0; e < run.evaluations.size(); ++e) {
            const EvaluationOutcome& outcome = run.evaluations[e];
            add(run, {run.treatment, run.samples, run.length, e, outcome.text}, losses_of(outcome.blocks));
        }
        if (!run.task) continue;
        add(run, {run.treatment, run.samples, run.length, run.evaluations.size(), run.task->task, true},
            losses_of(*run.task));
    }
    return all;
}

// Sets a and b of a measure.
Tested contrast(const Measure& measure, std::size_t a, std::size_t b) {
    const SeedRuns &first = measure.sets[a].second, &second = measure.sets[b].second;
    const std::vector<double> of_a = averaged(first), of_b = averaged(second);
    if (of_a.size() != of_b.size())
        throw InvalidArgument("calibrations are compared on the same blocks of positions, or questions");
    Tested out = compare(first, second, of_a, of_b);
    out.of_accuracy = measure.of_accuracy;
    if (measure.of_accuracy) test_exactly(of_a, of_b, first.size() == 1 && second.size() == 1, out);
    out.contrast.treatment = measure.treatment;
    out.contrast.text = measure.name;
    orient(measure.sets[a].first, measure.sets[b].first, out.contrast);
    return out;
}

}  // namespace

CalibrationContrasts contrast_sets(std::span<const CalibrationRun> runs) {
    std::vector<Tested> tested;
    for (const Measure& measure : measures_of(runs)) {
        for (std::size_t a = 0; a < measure.sets.size(); ++a) {
            for (std::size_t b = a + 1; b < measure.sets.size(); ++b)
                tested.push_back(contrast(measure, a, b));
        }
    }
    CalibrationContrasts out;
    if (tested.empty()) return out;
    std::vector<double> p_values;
    for (const Tested& t : tested) p_values.push_back(t.p_value);
    const Discoveries found = benjamini_hochberg(p_values, kRate);
    for (std::size_t i = 0; i < tested.size(); ++i) {
        tested[i].contrast.q_value = found.q_values[i];
        tested[i].contrast.shown = found.rejected[i];
        (tested[i].of_accuracy ? out.accuracy : out.damage).push_back(std::move(tested[i].contrast));
    }
    return out;
}

}  // namespace assay
