#include "analyze/score_estimates.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "measure/damage_estimate.h"
#include "measure/treatment_scores.h"
#include "stats/quadratic_interval.h"

namespace assay {
namespace {

// ρ by projection, over all treatments.
class BlockRatios {
  public:
    void add(const std::string& projection, const DamageEstimate& estimate) {
        own_[projection].add(estimate);
        all_.add(estimate);
    }
    double of(const std::string& projection) const { return block_ratio(own_.at(projection), all_); }
    double of_all() const { return block_ratio(all_, all_); }

  private:
    std::map<std::string, RatioSums> own_;
    RatioSums all_;
};

// The parts with the largest shares.
std::vector<PartShare> largest(const std::vector<double>& shares) {
    std::vector<PartShare> all;
    for (std::size_t i = 0; i < shares.size(); ++i) all.push_back({static_cast<std::int64_t>(i), shares[i]});
    std::stable_sort(all.begin(), all.end(),
                     [](const PartShare& a, const PartShare& b) { return a.share > b.share; });
    all.resize(std::min(all.size(), kKeptParts));
    return all;
}

DamageParts parts_of(const Attribution& attribution) {
    DamageParts parts{largest(attribution.rows), largest(attribution.columns), {}};
    for (std::size_t h = 0; h < attribution.heads.size(); ++h) {
        const HeadPart& head = attribution.heads[h];
        parts.heads.push_back({head.part, head.head, attribution.head_shares[h]});
    }
    return parts;
}

ScoredDamage damage_of(const DamageEstimate& estimate, double ratio) {
    return {.kl = ratio * estimate.kl,
            .kl_ci95 = scaled(quadratic_interval(estimate.kl, estimate.se), ratio),
            .block_ratio = ratio};
}

// What treating the blocks' linears together gives, by the scores of one treatment.
class Together {
  public:
    explicit Together(const ScoreResult& scores)
        : scores_(scores), sums_(scores.blocks.size(), 0.0), squares_(scores.blocks.size(), 0.0) {}

    void add(const TreatmentScore& score, double ratio) {
        ++linears_;
        for (std::size_t b = 0; b < sums_.size(); ++b) {
            sums_[b] += score.sums[b];
            squares_[b] += ratio * score.sums[b] * score.sums[b];
        }
    }

    PlanPrediction prediction(std::string treatment, double ratio) const {
        std::vector<double> roots;  // whose squares are the sums of squares
        for (double s : squares_) roots.push_back(std::sqrt(s));
        const ScoredDamage plain = damage_of(estimate_damage(scores_, roots), 1),
                           whole = damage_of(estimate_damage(scores_, sums_), ratio);
        return {std::move(treatment), linears_, plain.kl, plain.kl_ci95, whole.kl, whole.kl_ci95};
    }

    bool empty() const { return linears_ == 0; }

  private:
    const ScoreResult& scores_;
    std::int64_t linears_ = 0;
    std::vector<double> sums_, squares_;
};

}  // namespace

std::optional<Interval> scaled(const std::optional<Interval>& interval, double factor) {
    if (!interval) return std::nullopt;
    return Interval{interval->low * factor, interval->high * factor};
}

ScoreEstimates estimate_scores(const Model& model, const Engine& engine,
                               std::span<const EvaluationWindow> windows,
                               std::span<const NamedChange> changes, const SensitivityOptions& options) {
    ScoreOptions wanted{.items = options.items, .treatments = {}, .seed = options.seed};
    for (const NamedChange& change : changes) wanted.treatments.push_back(change.overlay);
    if (options.parts) wanted.attributed = options.items;
    const ScoreResult scores = score_treatments(model, engine, windows, wanted);
    std::vector<DamageEstimate> damages;
    BlockRatios ratios;
    for (const TreatmentScore& s : scores.scores) {
        damages.push_back(estimate_damage(scores, s.sums));
        ratios.add(model.items()[s.item].projection, damages.back());
    }
    ScoreEstimates out;
    std::vector<Together> together(changes.size(), Together(scores));
    for (std::size_t i = 0; i < damages.size(); ++i) {
        const TreatmentScore& s = scores.scores[i];
        const LinearItem& item = model.items()[s.item];
        const double ratio = ratios.of(item.projection);
        out.damages.push_back({{s.item, s.treatment}, damage_of(damages[i], ratio)});
        if (item.role == LinearItem::Role::kBlock) together[s.treatment].add(s, ratio);
    }
    for (std::size_t f = 0; f < changes.size(); ++f) {
        if (!together[f].empty())
            out.together.push_back(together[f].prediction(changes[f].name, ratios.of_all()));
    }
    for (const Attribution& a : scores.attributions) out.parts[{a.item, a.treatment}] = parts_of(a);
    for (std::size_t i : scores.unscored) {
        for (std::size_t f = 0; f < changes.size(); ++f) out.unscored.push_back({i, f});
    }
    out.baseline = scores.baseline;
    return out;
}

}  // namespace assay
