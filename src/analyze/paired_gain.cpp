#include "analyze/paired_gain.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "stats/bootstrap.h"
#include "stats/student.h"

namespace assay {
namespace {

constexpr double kLeastDamage = 1e-300;

double damage_sum(std::span<const BlockSums> blocks) {
    return std::accumulate(blocks.begin(), blocks.end(), 0.0,
                           [](double sum, const BlockSums& b) { return sum + b.kl_sum; });
}

double token_sum(std::span<const BlockSums> blocks) {
    return std::accumulate(blocks.begin(), blocks.end(), 0.0, [](double sum, const BlockSums& b) {
        return sum + static_cast<double>(b.tokens);
    });
}

void expect_paired(std::span<const BlockSums> a, std::span<const BlockSums> b) {
    if (a.size() != b.size()) throw InvalidArgument("gains are measured on the same blocks of positions");
}

double mean_value(std::span<const LogRatio> ratios) {
    double sum = 0;
    for (const LogRatio& r : ratios) sum += r.value;
    return sum / static_cast<double>(ratios.size());
}

// Variance of the mean over blocks of (mean of the twins' influences - the own one).
double text_variance(const LogRatio& own, std::span<const LogRatio> twins) {
    const std::size_t n = own.influence.size();
    double squares = 0;
    for (std::size_t i = 0; i < n; ++i) {
        double d = -own.influence[i];
        for (const LogRatio& twin : twins) d += twin.influence.at(i) / static_cast<double>(twins.size());
        squares += d * d;
    }
    return squares / static_cast<double>(n) / static_cast<double>(n - 1);
}

// Standard error of (mean of the twins' log ratios - the own one), with its degrees of freedom.
struct Spread {
    double error = 0;
    double freedom = 1;
};

std::optional<Spread> spread_of(const LogRatio& own, std::span<const LogRatio> twins, const LuckSums& luck) {
    const auto blocks = static_cast<double>(own.influence.size());
    if (blocks < 2 || !(luck.freedom > 0)) return std::nullopt;
    const double text = text_variance(own, twins);
    const double chance = luck.squares / luck.freedom * (1 + 1 / static_cast<double>(twins.size()));
    const double variance = text + chance;
    if (!(variance > 0)) return Spread{};
    return Spread{std::sqrt(variance),
                  variance * variance / (text * text / (blocks - 1) + chance * chance / luck.freedom)};
}

}  // namespace

LogRatio log_damage_ratio(std::span<const BlockSums> before, std::span<const BlockSums> after, double floor) {
    expect_paired(before, after);
    const double least = std::max(floor * token_sum(before), kLeastDamage);
    const double b = damage_sum(before), a = damage_sum(after);
    const auto n = static_cast<double>(before.size());
    LogRatio out{.value = std::log(std::max(a, least) / std::max(b, least))};
    for (std::size_t i = 0; i < before.size(); ++i) {
        out.influence.push_back(
            n * ((a > least ? after[i].kl_sum / a : 0) - (b > least ? before[i].kl_sum / b : 0)));
    }
    return out;
}

void LuckSums::add(std::span<const LogRatio> twins) {
    if (twins.empty()) return;
    const double mean = mean_value(twins);
    for (const LogRatio& t : twins) squares += (t.value - mean) * (t.value - mean);
    freedom += static_cast<double>(twins.size() - 1);
}

CauseTest test_cause(const LogRatio& own, std::span<const LogRatio> twins, const LuckSums& luck) {
    CauseTest out{.gain = -std::expm1(own.value)};
    if (twins.empty()) return out;
    const double mean = mean_value(twins), excess = mean - own.value;
    out.twin_gain = -std::expm1(mean);
    const auto spread = spread_of(own, twins, luck);
    if (!spread) return out;
    out.p_value = spread->error > 0 ? student_upper_tail(excess / spread->error, spread->freedom)
                                    : static_cast<double>(excess <= 0);
    return out;
}

std::optional<Interval> mean_ratio_ci95(std::span<const LogRatio> twins, const LuckSums& luck) {
    if (twins.empty()) return std::nullopt;
    const LogRatio fixed{.value = 0, .influence = std::vector<double>(twins[0].influence.size(), 0.0)};
    const auto spread = spread_of(fixed, twins, luck);
    if (!spread) return std::nullopt;
    const double half = spread->error > 0 ? student_quantile(0.975, spread->freedom) * spread->error : 0;
    return Interval{std::exp(mean_value(twins) - half), std::exp(mean_value(twins) + half)};
}

PairedGain paired_gain(std::span<const BlockSums> before, std::span<const BlockSums> after,
                       std::uint64_t seed) {
    expect_paired(before, after);
    std::vector<double> gains, tokens;
    for (std::size_t i = 0; i < before.size(); ++i) {
        gains.push_back(before[i].kl_sum - after[i].kl_sum);
        tokens.push_back(static_cast<double>(before[i].tokens));
    }
    const double b = damage_sum(before), a = damage_sum(after);
    PairedGain out{.nats = (b - a) / token_sum(before),
                   .nats_ci95 = bootstrap_mean(gains, tokens, {.seed = seed}),
                   .share = b > 0 ? 1 - a / b : 0,
                   .share_ci95 = std::nullopt};
    if (!(b > 0)) return out;
    const auto share = [&](std::span<const double> draws) {
        double sum = 0, gain = 0;
        for (std::size_t i = 0; i < draws.size(); ++i) {
            sum += draws[i] * before[i].kl_sum;
            gain += draws[i] * gains[i];
        }
        return sum > 0 ? gain / sum : 0;
    };
    out.share_ci95 = bootstrap(std::ssize(before), share, {.seed = seed});
    return out;
}

}  // namespace assay
