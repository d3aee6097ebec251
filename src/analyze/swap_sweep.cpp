#include "analyze/swap_sweep.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "measure/runs.h"
#include "measure/summary.h"
#include "measure/window_groups.h"

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
    std::vector<compute::SquaredError> output_errors;  // per window
    std::vector<compute::SquaredError> propagation;    // per block
    std::vector<double> changed_routes;                // per block: positions
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

    // A group's numbers: the scores of the reference and of each fork, and the forks' errors.
    std::vector<double> measure(std::span<const EvaluationWindow> windows) const {
        const auto chunks = make_chunks(windows, engine_.limits.chunk_rows);
        const PassResult pass = run_pass(model_, engine_, chunks, {.forks = forks_});
        std::vector<const FinalStates*> variants;
        for (const ForkResult& fork : pass.forks) variants.push_back(&fork.states);
        std::vector<double> numbers;
        for (const RunScores& run : score_runs(engine_, chunks, pass.reference, variants))
            append_numbers(run, numbers);
        for (const ForkResult& fork : pass.forks) {
            append_errors(fork.output_error, numbers);
            numbers.push_back(static_cast<double>(fork.propagation.size()));
            for (const auto& block : fork.propagation) append_errors(block, numbers);
            std::vector<double> routes;
            for (const auto& block : fork.changed_routes)
                routes.push_back(
                    static_cast<double>(std::accumulate(block.begin(), block.end(), std::int64_t{0})));
            append_list(routes, numbers);
        }
        return numbers;
    }

    // Adds the numbers of a group whose first window is `first`. Sums go window by window, so that groups
    // leave no trace.
    void absorb(NumberReader& numbers, std::int64_t first) {
        append_scores(read_scores(numbers), first, reference_);
        for (ForkSums& fork : sums_) append_scores(read_scores(numbers), first, fork.scores);
        for (ForkSums& fork : sums_) {
            read_errors(numbers, fork.output_errors);
            fork.propagation.resize(static_cast<std::size_t>(numbers.next_count()));
            for (auto& block : fork.propagation) {
                std::vector<compute::SquaredError> windows;
                read_errors(numbers, windows);
                for (const compute::SquaredError& w : windows) add(w, block);
            }
            const std::vector<double> routes = numbers.next_list();
            fork.changed_routes.resize(routes.size());
            for (std::size_t b = 0; b < routes.size(); ++b) fork.changed_routes[b] += routes[b];
        }
    }

    // Of `positions` in all, scored or not.
    SweepResult result(std::int64_t positions) const {
        SweepResult out;
        out.baseline = reference_.blocks;
        out.control = control();
        for (std::size_t f = 0; f + 1 < forks_.size(); ++f)
            out.swaps.push_back(measurement(f, static_cast<double>(positions)));
        return out;
    }

  private:
    static void append_errors(const std::vector<compute::SquaredError>& windows,
                              std::vector<double>& numbers) {
        numbers.push_back(static_cast<double>(windows.size()));
        for (const compute::SquaredError& w : windows) numbers.insert(numbers.end(), {w.error, w.reference});
    }

    static void read_errors(NumberReader& numbers, std::vector<compute::SquaredError>& windows) {
        for (std::int64_t left = numbers.next_count(); left > 0; --left) {
            const double error = numbers.next();
            windows.push_back({error, numbers.next()});
        }
    }

    static void add(const compute::SquaredError& window, compute::SquaredError& total) {
        total.error += window.error;
        total.reference += window.reference;
    }

    static double ratio(const compute::SquaredError& s) {
        return s.reference > 0 ? std::sqrt(s.error / s.reference) : 0;
    }

    SwapMeasurement measurement(std::size_t fork, double positions) const {
        const ForkSums& sums = sums_[fork];
        SwapMeasurement out;
        out.blocks = sums.scores.blocks;
        if (model_.items()[forks_[fork].item].block >= 0) out.output_errors = sums.output_errors;
        if (!out.output_errors.empty()) {
            compute::SquaredError total;
            for (const compute::SquaredError& w : out.output_errors) add(w, total);
            out.relative_output_error = ratio(total);
        }
        for (const auto& block : sums.propagation) out.propagation.push_back(ratio(block));
        for (double changed : sums.changed_routes) out.route_changes.push_back(changed / positions);
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
                        std::span<const Fork> swaps, std::uint64_t seed, std::size_t step,
                        const NeedsMore& needs_more) {
    if (swaps.empty() || windows.empty()) throw InvalidArgument("a sweep needs swaps and windows");
    const auto runs = static_cast<std::int64_t>(swaps.size()) + 2;  // the reference, the control
    const std::size_t group =
        windows_per_group(model, engine.backend, windows, runs, engine.limits.state_bytes);
    Sweep sweep(model, engine, swaps, seed);
    if (step == 0) step = windows.size();
    std::int64_t positions = 0;
    for (std::size_t done = 0;;) {
        const auto part = windows.subspan(done, std::min(step, windows.size() - done));
        for_each_group(
            engine, part, group, runs, "swaps",
            [&](std::span<const EvaluationWindow> some) { return sweep.measure(some); },
            [&](NumberReader& numbers, std::int64_t first) {
                sweep.absorb(numbers, static_cast<std::int64_t>(done) + first);
            });
        for (const EvaluationWindow& window : part) positions += std::ssize(window.tokens);
        done += part.size();
        SweepResult result = sweep.result(positions);
        if (done == windows.size() || !needs_more || !needs_more(result)) return result;
    }
}

}  // namespace assay
