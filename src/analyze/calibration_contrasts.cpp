#include "analyze/calibration_contrasts.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <tuple>

#include "base/error.h"
#include "stats/false_discovery.h"
#include "stats/spread.h"
#include "stats/student.h"

namespace assay {
namespace {

constexpr double kRate = 0.05;

using Blocks = std::vector<BlockSums>;
using SeedRuns = std::vector<const Blocks*>;  // of one set, one a seed

double token_sum(const Blocks& blocks) {
    return std::accumulate(blocks.begin(), blocks.end(), 0.0, [](double sum, const BlockSums& b) {
        return sum + static_cast<double>(b.tokens);
    });
}

double mean_of(const Blocks& blocks) {
    const double sum = std::accumulate(blocks.begin(), blocks.end(), 0.0,
                                       [](double s, const BlockSums& b) { return s + b.kl_sum; });
    return sum / token_sum(blocks);
}

// Block sums averaged over seeds.
std::vector<double> averaged(const SeedRuns& runs) {
    std::vector<double> out(runs.front()->size());
    for (const Blocks* blocks : runs) {
        if (blocks->size() != out.size())
            throw InvalidArgument("calibrations are compared on the same blocks of positions");
        for (std::size_t i = 0; i < out.size(); ++i)
            out[i] += (*blocks)[i].kl_sum / static_cast<double>(runs.size());
    }
    return out;
}

// Variance over seeds of a set's mean KL, divided by their number.
double luck(const SeedRuns& runs) {
    if (runs.size() < 2) return 0;
    std::vector<double> means;
    for (const Blocks* blocks : runs) means.push_back(mean_of(*blocks));
    const auto n = static_cast<double>(means.size());
    const double mean = std::accumulate(means.begin(), means.end(), 0.0) / n;
    double squares = 0;
    for (double m : means) squares += (m - mean) * (m - mean);
    return squares / (n - 1) / n;
}

struct Tested {
    CalibrationContrast contrast;
    double p_value = 1;
};

Tested compare(const SeedRuns& a, const SeedRuns& b) {
    const std::vector<double> of_a = averaged(a), of_b = averaged(b);
    if (of_a.size() != of_b.size())
        throw InvalidArgument("calibrations are compared on the same blocks of positions");
    const Blocks& blocks = *a.front();
    const double tokens = token_sum(blocks);
    double difference = 0;
    for (std::size_t i = 0; i < of_a.size(); ++i) difference += (of_b[i] - of_a[i]) / tokens;
    Tested out;
    out.contrast.difference = difference;
    const auto n = static_cast<double>(of_a.size());
    if (n < 2) return out;
    double squares = 0;
    for (std::size_t i = 0; i < of_a.size(); ++i) {
        const double u =
            n * (of_b[i] - of_a[i] - difference * static_cast<double>(blocks[i].tokens)) / tokens;
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

// Names the better one first; then the difference is not negative.
void orient(const std::string& a, const std::string& b, CalibrationContrast& contrast) {
    contrast.better = contrast.difference >= 0 ? a : b;
    contrast.worse = contrast.difference >= 0 ? b : a;
    if (contrast.difference >= 0) return;
    contrast.difference = -contrast.difference;
    if (contrast.difference_ci95)
        contrast.difference_ci95 = Interval{-contrast.difference_ci95->high, -contrast.difference_ci95->low};
}

}  // namespace

std::vector<CalibrationContrast> contrast_sets(std::span<const CalibrationRun> runs) {
    using Key = std::tuple<std::string, std::size_t, std::int64_t, std::int64_t>;  // treatment, text, size
    std::vector<Key> keys;
    std::map<Key, std::vector<std::pair<std::string, SeedRuns>>> groups;
    for (const CalibrationRun& run : runs) {
        for (std::size_t e = 0; e < run.evaluations.size(); ++e) {
            const Key key{run.treatment, e, run.samples, run.length};
            if (!groups.contains(key)) keys.push_back(key);
            auto& sets = groups[key];
            auto place =
                std::find_if(sets.begin(), sets.end(), [&](const auto& set) { return set.first == run.set; });
            if (place == sets.end()) place = sets.insert(place, {run.set, {}});
            place->second.push_back(&run.evaluations[e].blocks);
        }
    }
    std::vector<Tested> tested;
    for (const Key& key : keys) {
        const auto& sets = groups[key];
        for (std::size_t a = 0; a < sets.size(); ++a) {
            for (std::size_t b = a + 1; b < sets.size(); ++b) {
                tested.push_back(compare(sets[a].second, sets[b].second));
                CalibrationContrast& contrast = tested.back().contrast;
                contrast.treatment = std::get<0>(key);
                contrast.text = runs.front().evaluations[std::get<1>(key)].text;
                orient(sets[a].first, sets[b].first, contrast);
            }
        }
    }
    std::vector<double> p_values;
    for (const Tested& t : tested) p_values.push_back(t.p_value);
    std::vector<CalibrationContrast> out;
    if (tested.empty()) return out;
    const Discoveries found = benjamini_hochberg(p_values, kRate);
    for (std::size_t i = 0; i < tested.size(); ++i) {
        tested[i].contrast.q_value = found.q_values[i];
        tested[i].contrast.shown = found.rejected[i];
        out.push_back(std::move(tested[i].contrast));
    }
    return out;
}

}  // namespace assay
