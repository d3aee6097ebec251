#include "analyze/cause_tests.h"

#include <utility>

#include "analyze/screening.h"
#include "stats/false_discovery.h"

namespace assay {
namespace {

using Half = std::vector<BlockSums> Halves::*;

// What is compared: the linear's own log ratios and its twin's, on either half.
struct Ratios {
    std::vector<LogRatio> own, twins;
};
struct Comparison {
    TestedCause cause;
    Ratios decided, held_out;
    LuckSums luck;  // where it is not that of all causes together
};

std::vector<double> values(const std::vector<LogRatio>& ratios) {
    std::vector<double> out;
    for (const LogRatio& r : ratios) out.push_back(r.value);
    return out;
}

class Tests {
  public:
    explicit Tests(const MeasuredPlans& measured) : measured_(measured) {
        LuckSums draws;
        for (std::size_t p = 0; p < measured.plans.size(); ++p) {
            const LinearPlan& plan = measured.plans[p];
            for (const PlannedCause& cause : plan.causes) add(p, cause);
            draws.add(values(noise_ratios(measured, plan)));
        }
        for (const Comparison& c : all_) add_luck(c);
        for (std::size_t p = 0; p < measured.plans.size(); ++p) add_calibrated(p, draws);
    }

    std::vector<TestedCause> run() {
        std::vector<double> p_values;
        for (Comparison& c : all_) {
            const LuckSums& luck = c.luck.freedom > 0 ? c.luck : luck_;
            c.cause.test = test_cause(c.decided.own, c.decided.twins, luck, kLeastExcess);
            c.cause.held_out = test_cause(c.held_out.own, c.held_out.twins, luck, kLeastExcess);
            p_values.push_back(c.cause.test.p_value);
        }
        if (all_.empty()) return {};
        const Discoveries found = benjamini_hochberg(p_values, kFalseDiscoveryRate);
        std::vector<TestedCause> out;
        for (std::size_t i = 0; i < all_.size(); ++i) {
            TestedCause& cause = all_[i].cause;
            cause.q_value = found.q_values[i];
            cause.claimed = found.rejected[i] && cause.held_out.p_value < kHeldOutLevel;
            out.push_back(std::move(cause));
        }
        return out;
    }

  private:
    LogRatio ratio(std::size_t before, std::size_t after, Half half) const {
        return log_damage_ratio(measured_.swaps[before].*half, measured_.swaps[after].*half,
                                measured_.noise_floor);
    }

    std::vector<LogRatio> ratios(const NoiseSwaps& before, const NoiseSwaps& after, Half half) const {
        std::vector<LogRatio> out;
        for (std::size_t r = 0; r < before.size(); ++r) out.push_back(ratio(before[r], after[r], half));
        return out;
    }

    void add(std::size_t plan, const PlannedCause& cause) {
        const bool channels = cause.cause == Cause::kSalientChannels;
        const auto of_half = [&](Half half) {
            return Ratios{ratios(cause.before, cause.after, half),
                          ratios(cause.twin_before, cause.twin_after, half)};
        };
        all_.push_back(
            {.cause = {.linear = plan,
                       .cause = std::string(name_of(cause.cause)),
                       .remedy = cause.remedy,
                       .fitting = cause.remedies,
                       .sentence = channels
                                       ? " of the damage of errors of these sizes; as many random channels"
                                       : " of the damage of errors of these sizes beside that of loud "
                                         "channels; of Gaussian weights'",
                       .draws = cause.before.size()},
             .decided = of_half(&Halves::decided),
             .held_out = of_half(&Halves::held_out),
             .luck = {}});
    }

    void add_luck(const Comparison& c) {
        std::vector<double> differences;
        for (std::size_t r = 0; r < c.decided.own.size(); ++r)
            differences.push_back(c.decided.twins[r].value - c.decided.own[r].value);
        luck_.add(differences);
    }

    void add_calibrated(std::size_t index, const LuckSums& draws) {
        const LinearPlan& plan = measured_.plans[index];
        if (!plan.calibrated) return;
        const auto of_half = [&](Half half) {
            const LogRatio own = ratio(plan.base, *plan.remedies[*plan.calibrated].swap, half);
            return Ratios{{own}, {{.value = 0, .influence = std::vector<double>(own.influence.size(), 0.0)}}};
        };
        all_.push_back(
            {.cause = {.linear = index,
                       .cause = "correlated_inputs",
                       .remedy = *plan.calibrated,
                       .fitting = {*plan.calibrated},
                       .sentence = " of the damage; without correlations it is round to nearest, which takes",
                       .draws = 1},
             .decided = of_half(&Halves::decided),
             .held_out = of_half(&Halves::held_out),
             .luck = {2 * draws.squares, draws.freedom}});
    }

    const MeasuredPlans& measured_;
    std::vector<Comparison> all_;
    LuckSums luck_;
};

}  // namespace

Halves split(const std::vector<BlockSums>& blocks, std::int64_t first_held_out) {
    Halves out;
    for (const BlockSums& b : blocks) (b.window < first_held_out ? out.decided : out.held_out).push_back(b);
    return out;
}

std::vector<LogRatio> noise_ratios(const MeasuredPlans& measured, const LinearPlan& plan) {
    std::vector<LogRatio> out;
    for (std::size_t swap : plan.noise)
        out.push_back(log_damage_ratio(measured.swaps[swap].decided, measured.swaps[plan.base].decided,
                                       measured.noise_floor));
    return out;
}

std::vector<TestedCause> test_causes(const MeasuredPlans& measured) {
    return Tests(measured).run();
}

}  // namespace assay
