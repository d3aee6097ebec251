#include "analyze/swap_sweep.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "measure/runs.h"
#include "measure/summary.h"

namespace assay {
namespace {

// Swaps nothing.
class NoChange final : public WeightOverlay {
  public:
    bool treats(const LinearItem&) const override { return false; }
    void apply(const LinearItem&, MatrixView<float>) const override {}
};

// Everything one fork yields, over all groups of windows.
struct ForkSums {
    RunScores scores;
    compute::SquaredError output_error;
    std::vector<compute::SquaredError> propagation;  // per block
};

class Sweep {
  public:
    Sweep(const Model& model, const Engine& engine, std::span<const Fork> swaps, std::uint64_t seed)
        : model_(model),
          engine_(engine),
          seed_(seed),
          forks_(swaps.begin(), swaps.end()),
          sums_(swaps.size() + 1) {
        forks_.push_back({swaps.front().item, &control_});  // the last fork is the control
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

    SweepResult result() {
        SweepResult out;
        out.baseline = reference_.blocks;
        out.control = control();
        for (std::size_t f = 0; f + 1 < forks_.size(); ++f) out.swaps.push_back(measurement(f));
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

    SwapMeasurement measurement(std::size_t fork) {
        ForkSums& sums = sums_[fork];
        SwapMeasurement out;
        out.blocks = std::move(sums.scores.blocks);
        if (model_.items()[forks_[fork].item].block >= 0)
            out.relative_output_error = ratio(sums.output_error);
        for (const auto& block : sums.propagation) out.propagation.push_back(ratio(block));
        return out;
    }

    Control control() const {
        const std::vector<BlockSums>& own = sums_.back().scores.blocks;
        Control out{summarize_damage(reference_.blocks, own, seed_).kl, true};
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
    std::uint64_t seed_;
    NoChange control_;
    std::vector<Fork> forks_;
    RunScores reference_;
    std::vector<ForkSums> sums_;
};

}  // namespace

SweepResult sweep_swaps(const Model& model, const Engine& engine, std::span<const EvaluationWindow> windows,
                        std::span<const Fork> swaps, std::uint64_t seed) {
    if (swaps.empty() || windows.empty()) throw InvalidArgument("a sweep needs swaps and windows");
    const auto runs = static_cast<std::int64_t>(swaps.size()) + 2;  // the reference, the control
    const std::size_t group =
        windows_per_group(model, engine.backend, windows, runs, engine.limits.state_bytes);
    Sweep sweep(model, engine, swaps, seed);
    for (std::size_t first = 0; first < windows.size(); first += group) {
        sweep.add(windows.subspan(first, std::min(group, windows.size() - first)),
                  static_cast<std::int64_t>(first));
    }
    return sweep.result();
}

}  // namespace assay
