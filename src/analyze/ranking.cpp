#include "analyze/ranking.h"

#include <algorithm>
#include <map>

#include "stats/rank.h"

namespace assay {
namespace {

constexpr double kCritical = 8, kHigh = 2, kModerate = 0.5;  // multiples of the mean damage

std::string category_of(const SensitivityLinear& linear, double mean_damage, double noise_floor) {
    const double surely = linear.kl_ci95 ? linear.kl_ci95->low : linear.kl;
    if (!(surely > noise_floor) || mean_damage <= 0) return "none";
    const double ratio = linear.kl / mean_damage;
    return ratio >= kCritical   ? "critical"
           : ratio >= kHigh     ? "high"
           : ratio >= kModerate ? "moderate"
                                : "low";
}

std::string recommendation_of(const std::string& category) {
    if (category == "critical") return "keep in 8 bits or more";
    if (category == "high") return "more bits or smaller groups first";
    if (category == "moderate") return "treat as planned; next in line for smaller groups";
    if (category == "low") return "treat as planned";
    return "no measurable damage: treat as planned, fewer bits may do";
}

DamageShare worst(const std::vector<SensitivityLinear>& ranked, std::size_t percent) {
    DamageShare share;
    const std::size_t count = (ranked.size() * percent + 99) / 100;
    for (std::size_t i = 0; i < count; ++i) {
        share.linears.push_back(ranked[i].name);
        share.share_of_damage += ranked[i].share_of_damage;
    }
    return share;
}

}  // namespace

void rank_linears(std::vector<SensitivityLinear>& linears, double noise_floor) {
    std::sort(linears.begin(), linears.end(), [](const SensitivityLinear& a, const SensitivityLinear& b) {
        return a.kl != b.kl ? a.kl > b.kl : a.name < b.name;
    });
    double total = 0;
    for (const SensitivityLinear& l : linears) total += l.kl;
    const double mean = linears.empty() ? 0 : total / static_cast<double>(linears.size());
    for (std::size_t i = 0; i < linears.size(); ++i) {
        SensitivityLinear& l = linears[i];
        l.rank = static_cast<std::int64_t>(i) + 1;
        l.share_of_damage = total > 0 ? l.kl / total : 0;
        l.category = category_of(l, mean, noise_floor);
        l.recommendation = recommendation_of(l.category);
    }
}

bool holds_category_border(const std::optional<Interval>& interval, double mean) {
    const auto holds = [&](double multiple) {
        return interval->low < multiple * mean && multiple * mean < interval->high;
    };
    return interval && (holds(kCritical) || holds(kHigh) || holds(kModerate));
}

std::string depth_name(std::int64_t block, std::int64_t blocks) {
    if (block == 0) return "first";
    if (block == blocks - 1) return "last";
    const std::int64_t inner = blocks - 2, third = 3 * (block - 1) / std::max<std::int64_t>(inner, 1);
    return third == 0 ? "early" : third == 1 ? "middle" : "late";
}

DamageShares damage_shares(const std::vector<SensitivityLinear>& ranked) {
    return {worst(ranked, 5), worst(ranked, 10)};
}

std::optional<double> weight_error_correlation(const std::vector<WeightsLinear>& weights,
                                               const std::vector<SensitivityLinear>& linears) {
    std::map<std::string, double> errors;
    for (const WeightsLinear& w : weights) {
        if (w.relative_error) errors[w.name] = *w.relative_error;
    }
    std::vector<double> error, damage;
    for (const SensitivityLinear& l : linears) {
        const auto found = errors.find(l.name);
        if (found == errors.end()) continue;
        error.push_back(found->second);
        damage.push_back(l.kl);
    }
    return error.size() < 3 ? std::nullopt : spearman(error, damage);
}

}  // namespace assay
