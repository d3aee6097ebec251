#include "analyze/patterns.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "base/rng.h"
#include "stats/bootstrap.h"
#include "stats/quantile.h"
#include "stats/rank.h"

namespace assay {
namespace {

using Members = std::vector<bool>;  // of the kind, by linear

struct Damage {
    double kl = 0, se = 0;
};

std::optional<double> ratio_of(const std::vector<double>& kl, const Members& members) {
    double own = 0, others = 0, count = 0;
    for (std::size_t i = 0; i < kl.size(); ++i) {
        (members[i] ? own : others) += kl[i];
        count += members[i] ? 1 : 0;
    }
    const double rest = static_cast<double>(kl.size()) - count;
    if (count == 0 || rest == 0 || !(own > 0) || !(others > 0)) return std::nullopt;
    return own / count / (others / rest);
}

// A draw of a gamma variable by the Marsaglia–Tsang method (2000), shape >= 1; below it by Stuart's boost.
double gamma_draw(Rng& rng, double shape) {
    if (shape < 1) return gamma_draw(rng, shape + 1) * std::pow(1 - rng.uniform(), 1 / shape);
    const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
    for (;;) {
        const double radius = std::sqrt(-2 * std::log(1 - rng.uniform()));
        const double x = radius * std::cos(2 * 3.141592653589793 * rng.uniform());
        const double v = (1 + c * x) * (1 + c * x) * (1 + c * x);
        if (v > 0 && std::log(1 - rng.uniform()) < x * x / 2 + d - d * v + d * std::log(v)) return d * v;
    }
}

std::optional<Interval> ratio_interval(const std::vector<Damage>& damages, const Members& members,
                                       std::uint64_t seed) {
    Rng rng(seed);
    std::vector<double> ratios;
    for (int draw = 0; draw < kPatternDraws; ++draw) {
        std::vector<double> kl;
        for (const Damage& d : damages) {
            const double shape = d.se > 0 ? d.kl * d.kl / (d.se * d.se) : 0;
            kl.push_back(shape > 0 ? gamma_draw(rng, shape) * d.kl / shape : d.kl);
        }
        if (const auto ratio = ratio_of(kl, members)) ratios.push_back(*ratio);
    }
    if (ratios.empty()) return std::nullopt;
    return Interval{quantile(ratios, 0.025), quantile(ratios, 0.975)};
}

// `permuted(rng)` gives the kind's members after a random permutation.
double permutation_p(const std::vector<double>& kl, double ratio, std::uint64_t seed,
                     const std::function<Members(Rng&)>& permuted) {
    Rng rng(seed, 1);
    int as_far = 1;
    for (int draw = 0; draw < kPatternDraws; ++draw) {
        const auto other = ratio_of(kl, permuted(rng));
        if (other && std::abs(std::log(*other)) >= std::abs(std::log(ratio)) - 1e-12) ++as_far;
    }
    return static_cast<double>(as_far) / (1 + kPatternDraws);
}

template <class T>
void shuffle(std::vector<T>& values, Rng& rng) {
    for (std::size_t i = 0; i + 1 < values.size(); ++i)
        std::swap(values[i], values[i + rng.below(values.size() - i)]);
}

// The linears of blocks.
class Patterns {
  public:
    Patterns(std::span<const SensitivityLinear> linears, std::uint64_t seed) : seed_(seed) {
        for (const SensitivityLinear& l : linears) {
            if (!l.block) continue;
            rows_.push_back(&l);
            kl_.push_back(l.kl);
            damages_.push_back({l.kl, l.kl_ci95 ? (l.kl_ci95->high - l.kl_ci95->low) / 4 : 0});
        }
    }

    std::optional<DamagePattern> of_blocks(const std::string& kind,
                                           const std::set<std::int64_t>& chosen) const {
        std::set<std::int64_t> all;
        for (const SensitivityLinear* l : rows_) all.insert(*l->block);
        const std::vector<std::int64_t> blocks(all.begin(), all.end());
        const auto members = [&](const std::set<std::int64_t>& own) {
            Members out;
            for (const SensitivityLinear* l : rows_) out.push_back(own.contains(*l->block));
            return out;
        };
        return pattern(kind, members(chosen), [&](Rng& rng) {
            std::vector<std::int64_t> places = blocks;
            shuffle(places, rng);
            std::set<std::int64_t> own;
            for (std::size_t i = 0; i < blocks.size(); ++i) {
                if (chosen.contains(blocks[i])) own.insert(places[i]);
            }
            return members(own);
        });
    }

    std::optional<DamagePattern> of_projection(const std::string& projection) const {
        Members own;
        std::map<std::int64_t, std::vector<std::size_t>> blocks;
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            own.push_back(rows_[i]->projection == projection);
            blocks[*rows_[i]->block].push_back(i);
        }
        return pattern(projection, own, [&](Rng& rng) {
            Members out = own;
            for (const auto& [block, places] : blocks) {
                std::vector<std::size_t> order = places;
                shuffle(order, rng);
                for (std::size_t i = 0; i < places.size(); ++i) out[places[i]] = own[order[i]];
            }
            return out;
        });
    }

    std::set<std::string> projections() const {
        std::set<std::string> out;
        for (const SensitivityLinear* l : rows_) out.insert(l->projection);
        return out;
    }

  private:
    std::optional<DamagePattern> pattern(const std::string& kind, const Members& members,
                                         const std::function<Members(Rng&)>& permuted) const {
        const auto ratio = ratio_of(kl_, members);
        if (!ratio) return std::nullopt;
        return DamagePattern{.kind = kind,
                             .linears = std::count(members.begin(), members.end(), true),
                             .ratio = *ratio,
                             .ratio_ci95 = ratio_interval(damages_, members, seed_),
                             .p_value = permutation_p(kl_, *ratio, seed_, permuted)};
    }

    std::uint64_t seed_;
    std::vector<const SensitivityLinear*> rows_;
    std::vector<double> kl_;
    std::vector<Damage> damages_;
};

double median(std::vector<double> values) {
    return quantile(values, 0.5);
}

}  // namespace

std::vector<DamagePattern> depth_patterns(std::span<const SensitivityLinear> linears, std::int64_t blocks,
                                          std::uint64_t seed) {
    const Patterns patterns(linears, seed);
    std::vector<DamagePattern> out;
    const std::pair<const char*, std::set<std::int64_t>> kinds[] = {
        {"first_and_last_blocks", {0, blocks - 1}}, {"first_block", {0}}, {"last_block", {blocks - 1}}};
    for (const auto& [kind, chosen] : kinds) {
        if (auto pattern = patterns.of_blocks(kind, chosen)) out.push_back(std::move(*pattern));
    }
    return out;
}

std::vector<DamagePattern> projection_patterns(std::span<const SensitivityLinear> linears,
                                               std::uint64_t seed) {
    const Patterns patterns(linears, seed);
    std::vector<DamagePattern> out;
    for (const std::string& projection : patterns.projections()) {
        if (auto pattern = patterns.of_projection(projection)) out.push_back(std::move(*pattern));
    }
    std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.ratio > b.ratio; });
    return out;
}

std::optional<Indicator> indicator(const std::string& name, std::span<const std::optional<double>> values,
                                   std::span<const double> damages, std::uint64_t seed) {
    std::vector<double> x, y;
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (!values[i] || !std::isfinite(*values[i])) continue;
        x.push_back(*values[i]);
        y.push_back(damages[i]);
    }
    const auto rho = x.size() >= kIndicatorLinears ? spearman(x, y) : std::nullopt;
    if (!rho) return std::nullopt;
    const auto of_draw = [&](std::span<const double> draws) {
        std::vector<double> a, b;
        for (std::size_t i = 0; i < draws.size(); ++i) {
            for (double left = draws[i]; left > 0.5; --left) {
                a.push_back(x[i]);
                b.push_back(y[i]);
            }
        }
        return spearman(a, b).value_or(*rho);
    };
    return Indicator{.name = name,
                     .linears = std::ssize(x),
                     .spearman = *rho,
                     .spearman_ci95 = bootstrap(std::ssize(x), of_draw, {.seed = seed})};
}

std::vector<DamageFactors> damage_factors(std::span<const std::string> names,
                                          std::span<const double> output_errors,
                                          std::span<const double> damages) {
    std::vector<DamageFactors> out;
    std::vector<double> cares;
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (!(output_errors[i] > 0)) continue;
        cares.push_back(damages[i] / (output_errors[i] * output_errors[i]));
        out.push_back({names[i], output_errors[i], cares.back()});
    }
    const double middle = cares.empty() ? 0 : median(cares);
    for (DamageFactors& f : out) f.care = middle > 0 ? f.care / middle : 0;
    return out;
}

}  // namespace assay
