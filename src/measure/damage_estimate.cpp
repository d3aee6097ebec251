#include "measure/damage_estimate.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "stats/student.h"

namespace assay {
namespace {

// A unit that is drawn as a whole: a window, or a block of positions.
struct Unit {
    double half_squares = 0;  // ½ Σ S_b²
    double tokens = 0;
};

double ratio_error(const std::vector<Unit>& units, double mean, double tokens) {
    const auto n = static_cast<double>(units.size());
    if (n < 2) return 0;
    double sum = 0;
    for (const Unit& u : units)
        sum += (u.half_squares - mean * u.tokens) * (u.half_squares - mean * u.tokens);
    constexpr double kNormal = 1.959963984540054;
    return std::sqrt(n / (n - 1) * sum) / tokens * student_quantile(0.975, n - 1) / kNormal;
}

}  // namespace

DamageEstimate estimate_damage(const ScoreResult& scores, std::span<const double> sums) {
    if (sums.size() != scores.blocks.size()) throw InvalidArgument("estimate_damage: one sum a block");
    const std::size_t windows = scores.window_tokens.size();
    std::vector<double> window_sums(windows, 0.0), window_blocks(windows, 0.0);
    for (std::size_t b = 0; b < sums.size(); ++b) {
        const auto w = static_cast<std::size_t>(scores.blocks[b].window);
        window_sums[w] += sums[b];
        ++window_blocks[w];
    }
    std::vector<Unit> by_window(windows), by_block;
    double squares = 0, fourths = 0, tokens = 0, of_windows = 0;
    for (std::size_t b = 0; b < sums.size(); ++b) {
        const auto w = static_cast<std::size_t>(scores.blocks[b].window);
        const double square = sums[b] * sums[b];
        squares += square;
        fourths += square * square;
        by_window[w].half_squares += square / 2;
        by_block.push_back({square / 2, static_cast<double>(scores.window_tokens[w]) / window_blocks[w]});
    }
    for (std::size_t w = 0; w < windows; ++w) {
        by_window[w].tokens = static_cast<double>(scores.window_tokens[w]);
        tokens += by_window[w].tokens;
        of_windows += window_sums[w] * window_sums[w];
    }
    DamageEstimate out;
    out.kl = squares / 2 / tokens;
    out.kl_windows = of_windows / 2 / tokens;
    out.label_se = std::sqrt(2.0 / 3.0 * fourths) / 2 / tokens;
    const bool enough = static_cast<std::int64_t>(windows) >= kWindowUnits;
    out.se = std::max(out.label_se, ratio_error(enough ? by_window : by_block, out.kl, tokens));
    return out;
}

void RatioSums::add(const DamageEstimate& estimate) {
    if (estimate.kl <= 0) return;
    ratios += estimate.kl_windows / estimate.kl;
    ++count;
}

double block_ratio(const RatioSums& own, const RatioSums& all) {
    if (all.count == 0) return 1;
    const double mean = all.ratios / all.count;
    if (own.count == 0) return mean;
    const double weight = own.count / (own.count + kRatioPrior);
    return weight * own.ratios / own.count + (1 - weight) * mean;
}

}  // namespace assay
