#include "analyze/sensitivity.h"

#include <algorithm>
#include <cmath>

#include "analyze/ranking.h"
#include "base/error.h"
#include "measure/runs.h"
#include "measure/summary.h"
#include "treat/treatment_overlay.h"

namespace assay {
namespace {

bool treats_all(const LinearItem&) {
    return true;
}
bool treats_none(const LinearItem&) {
    return false;
}

// Everything one fork yields, over all groups of windows.
struct ForkSums {
    RunScores scores;
    compute::SquaredError output_error;
    std::vector<compute::SquaredError> propagation;  // per block
};

class Sweep {
  public:
    Sweep(const Model& model, const Engine& engine, const SensitivityOptions& options)
        : model_(model),
          engine_(engine),
          options_(options),
          treated_(options.treatment, treats_all),
          control_(options.treatment, treats_none),
          sums_(options.items.size() + 1) {
        for (std::size_t item : options.items) forks_.push_back({item, &treated_});
        forks_.push_back({options.items.front(), &control_});  // the last fork is the control
    }

    // Windows [first, first + windows.size()) of the whole measurement.
    void add(std::span<const EvaluationWindow> windows, std::int64_t first) {
        const auto chunks = make_chunks(windows, engine_.limits.chunk_rows);
        const PassResult pass = run_pass(model_, engine_, chunks, {.forks = forks_});
        std::vector<const FinalStates*> variants;
        for (const ForkResult& fork : pass.forks) variants.push_back(&fork.states);
        auto runs = score_runs(engine_, chunks, pass.reference, variants);
        append_scores(runs[0], first, reference_);
        for (std::size_t f = 0; f < forks_.size(); ++f) {
            append_scores(runs[f + 1], first, sums_[f].scores);
            add_errors(pass.forks[f], sums_[f]);
        }
    }

    SensitivityResult result(std::int64_t window_tokens) const {
        SensitivityResult out;
        out.baseline = perplexity_result(reference_.blocks, window_tokens);
        out.treatment = to_string(options_.treatment);
        for (std::size_t i = 0; i < options_.items.size(); ++i) out.linears.push_back(linear(i));
        rank_linears(out.linears, options_.noise_floor);
        out.control = control();
        return out;
    }

  private:
    // Sums go window by window, so that groups leave no trace.
    static void add_errors(const ForkResult& fork, ForkSums& sums) {
        const auto add = [](const std::vector<compute::SquaredError>& windows, compute::SquaredError& total) {
            for (const auto& w : windows) {
                total.error += w.error;
                total.reference += w.reference;
            }
        };
        add(fork.output_error, sums.output_error);
        sums.propagation.resize(fork.propagation.size());
        for (std::size_t b = 0; b < fork.propagation.size(); ++b)
            add(fork.propagation[b], sums.propagation[b]);
    }

    static double ratio(const compute::SquaredError& s) {
        return s.reference > 0 ? std::sqrt(s.error / s.reference) : 0;
    }

    SensitivityLinear linear(std::size_t index) const {
        const LinearItem& item = model_.items()[options_.items[index]];
        const ForkSums& sums = sums_[index];
        const DamageSummary damage = summarize_damage(reference_.blocks, sums.scores.blocks, options_.seed);
        SensitivityLinear out;
        out.name = item.name;
        out.treatment = to_string(options_.treatment);
        out.kl = damage.kl;
        out.kl_ci95 = damage.kl_ci95;
        out.delta_nll = damage.delta_nll;
        out.delta_nll_ci95 = damage.delta_nll_ci95;
        out.delta_ppl = damage.delta_ppl;
        out.delta_ppl_ci95 = damage.delta_ppl_ci95;
        out.relative_delta_ppl = damage.relative_delta_ppl;
        out.relative_delta_ppl_ci95 = damage.relative_delta_ppl_ci95;
        out.projection = item.projection;
        out.parameters = item.out * item.in;
        if (item.role == LinearItem::Role::kBlock) {
            out.block = item.block;
            out.depth = depth_name(item.block, model_.config().layers);
            out.relative_output_error = ratio(sums.output_error);
            if (*out.relative_output_error > 0) {
                out.damage_per_output_error =
                    out.kl / (*out.relative_output_error * *out.relative_output_error);
            }
        } else {
            out.depth = item.role == LinearItem::Role::kHead ? "head" : "embedding";
        }
        for (const auto& block : sums.propagation) out.propagation.push_back(ratio(block));
        out.windows = window_sums(sums.scores.blocks, true);
        out.blocks = sums.scores.blocks;
        return out;
    }

    Control control() const {
        const std::vector<BlockSums>& own = sums_.back().scores.blocks;
        Control out{summarize_damage(reference_.blocks, own, options_.seed).kl, true};
        for (std::size_t i = 0; i < own.size(); ++i) {
            out.identical =
                out.identical && own[i].nll_sum == reference_.blocks[i].nll_sum && own[i].kl_sum == 0;
        }
        if (!out.identical)
            throw NumericError(
                "the control, a swap that changes nothing, differs from the reference: this is a bug of "
                "Assay");
        return out;
    }

    const Model& model_;
    const Engine& engine_;
    const SensitivityOptions& options_;
    TreatmentOverlay treated_, control_;
    std::vector<Fork> forks_;
    RunScores reference_;
    std::vector<ForkSums> sums_;
};

void check(std::span<const EvaluationWindow> windows, const SensitivityOptions& options) {
    if (options.items.empty())
        throw InvalidArgument(
            "no linear is selected; --linears must match at least one name of `assay inspect`");
    if (windows.empty()) throw InvalidArgument("no windows to measure on");
}

}  // namespace

SensitivityResult measure_sensitivity(const Model& model, const Engine& engine,
                                      std::span<const EvaluationWindow> windows,
                                      const SensitivityOptions& options) {
    check(windows, options);
    const auto runs = static_cast<std::int64_t>(options.items.size()) + 2;  // the reference, the control
    const std::size_t group =
        windows_per_group(model, engine.backend, windows, runs, engine.limits.state_bytes);
    Sweep sweep(model, engine, options);
    for (std::size_t first = 0; first < windows.size(); first += group) {
        sweep.add(windows.subspan(first, std::min(group, windows.size() - first)),
                  static_cast<std::int64_t>(first));
    }
    return sweep.result(longest_window(windows));
}

std::vector<BlockSums> measure_swap_naively(const Model& model, const Engine& engine,
                                            std::span<const EvaluationWindow> windows,
                                            const SensitivityOptions& options, std::size_t item) {
    const std::string& name = model.items()[item].name;
    const TreatmentOverlay overlay(options.treatment,
                                   [&](const LinearItem& other) { return other.name == name; });
    const std::vector<Run> runs{{&model, nullptr}, {&model, &overlay}};
    return measure_runs(engine, windows, runs, {})[1].blocks;
}

}  // namespace assay
