#include "analyze/paired_gain.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "stats/bootstrap.h"
#include "stats/spread.h"
#include "stats/student.h"

namespace assay {
namespace {

constexpr double kLeastDamage = 1e-300;

double sum_of(std::span<const double> values) {
    return std::accumulate(values.begin(), values.end(), 0.0);
}

std::vector<double> damages(std::span<const BlockSums> blocks) {
    std::vector<double> out;
    for (const BlockSums& b : blocks) out.push_back(b.kl_sum);
    return out;
}

double token_sum(std::span<const BlockSums> blocks) {
    return std::accumulate(blocks.begin(), blocks.end(), 0.0, [](double sum, const BlockSums& b) {
        return sum + static_cast<double>(b.tokens);
    });
}

void expect_paired(std::size_t a, std::size_t b) {
    if (a != b) throw InvalidArgument("gains are measured on the same blocks of positions");
}

double mean_value(std::span<const LogRatio> ratios) {
    double sum = 0;
    for (const LogRatio& r : ratios) sum += r.value;
    return sum / static_cast<double>(ratios.size());
}

// Variance of the mean over blocks of mean (twin's influence - own one).
double text_variance(std::span<const LogRatio> own, std::span<const LogRatio> twins) {
    const std::size_t n = own[0].influence.size();
    double squares = 0;
    for (std::size_t i = 0; i < n; ++i) {
        double d = 0;
        for (const LogRatio& r : own) d -= r.influence.at(i) / static_cast<double>(own.size());
        for (const LogRatio& r : twins) d += r.influence.at(i) / static_cast<double>(twins.size());
        squares += d * d;
    }
    return squares / static_cast<double>(n) / static_cast<double>(n - 1);
}

// That of the text's variance over `blocks`, and of luck.
Spread spread_of(double text, double blocks, double chance, double freedom) {
    return combined_spread({text, blocks - 1}, {chance, freedom});
}

}  // namespace

LogRatio log_ratio(std::span<const double> before, std::span<const double> after, double least) {
    expect_paired(before.size(), after.size());
    least = std::max(least, kLeastDamage);
    const double b = sum_of(before), a = sum_of(after);
    const auto n = static_cast<double>(before.size());
    LogRatio out{.value = std::log(std::max(a, least) / std::max(b, least)), .influence = {}};
    for (std::size_t i = 0; i < before.size(); ++i)
        out.influence.push_back(n * ((a > least ? after[i] / a : 0) - (b > least ? before[i] / b : 0)));
    return out;
}

LogRatio log_damage_ratio(std::span<const BlockSums> before, std::span<const BlockSums> after, double floor) {
    return log_ratio(damages(before), damages(after), floor * token_sum(before));
}

void LuckSums::add(std::span<const double> draws) {
    if (draws.empty()) return;
    const double mean = sum_of(draws) / static_cast<double>(draws.size());
    for (double d : draws) squares += (d - mean) * (d - mean);
    freedom += static_cast<double>(draws.size() - 1);
}

CauseTest test_cause(std::span<const LogRatio> own, std::span<const LogRatio> twins,
                     const std::optional<LuckSums>& luck, double margin) {
    if (own.empty() || own.size() != twins.size())
        throw InvalidArgument("a cause is tested on as many twins' ratios as own ones");
    const double mean = mean_value(own), twin_mean = mean_value(twins);
    CauseTest out{.gain = -std::expm1(mean), .twin_gain = -std::expm1(twin_mean)};
    const auto blocks = static_cast<double>(own[0].influence.size());
    if (blocks < 2 || (luck && !(luck->freedom > 0))) return out;
    const double chance = luck ? luck->squares / luck->freedom / static_cast<double>(own.size()) : 0;
    const Spread spread = spread_of(text_variance(own, twins), blocks, chance, luck ? luck->freedom : 1);
    const double excess = twin_mean - mean + std::log1p(-margin);
    out.p_value = spread.error > 0 ? student_upper_tail(excess / spread.error, spread.freedom)
                                   : static_cast<double>(excess <= 0);
    const double half = spread.error > 0 ? student_quantile(0.975, spread.freedom) * spread.error : 0;
    out.least_left = std::exp(mean - twin_mean - half);
    out.most_left = std::exp(mean - twin_mean + half);
    return out;
}

std::optional<Interval> mean_ratio_ci95(std::span<const LogRatio> draws, const LuckSums& luck) {
    if (draws.empty() || draws[0].influence.size() < 2 || !(luck.freedom > 0)) return std::nullopt;
    const auto count = static_cast<double>(draws.size());
    const Spread spread = spread_of(text_variance(draws, {}), static_cast<double>(draws[0].influence.size()),
                                    luck.squares / luck.freedom * (1 + 1 / count), luck.freedom);
    const double half = spread.error > 0 ? student_quantile(0.975, spread.freedom) * spread.error : 0;
    return Interval{std::exp(mean_value(draws) - half), std::exp(mean_value(draws) + half)};
}

PairedGain paired_gain(std::span<const BlockSums> before, std::span<const BlockSums> after,
                       std::uint64_t seed) {
    expect_paired(before.size(), after.size());
    std::vector<double> gains, tokens;
    for (std::size_t i = 0; i < before.size(); ++i) {
        gains.push_back(before[i].kl_sum - after[i].kl_sum);
        tokens.push_back(static_cast<double>(before[i].tokens));
    }
    const double b = sum_of(damages(before)), a = sum_of(damages(after));
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
