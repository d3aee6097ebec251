#include "analyze/sensitivity.h"

#include <algorithm>
#include <cmath>

#include "analyze/ranking.h"
#include "base/error.h"
#include "measure/scores.h"
#include "measure/summary.h"
#include "treat/treatment_overlay.h"

namespace assay {
namespace {

constexpr std::int64_t kChunkRows = 2048;

bool treats_all(const LinearItem&) { return true; }
bool treats_none(const LinearItem&) { return false; }

// Everything one fork yields, over all groups of windows.
struct ForkSums {
    std::vector<BlockSums> blocks;
    compute::SquaredError output_error;
    std::vector<compute::SquaredError> propagation;  // per block
};

class Sweep {
  public:
    Sweep(const Model& model, const Engine& engine, const SensitivityOptions& options)
        : model_(model), engine_(engine), options_(options), treated_(options.treatment, treats_all),
          control_(options.treatment, treats_none), sums_(options.items.size() + 1) {
        for (std::size_t item : options.items) forks_.push_back({item, &treated_});
        forks_.push_back({options.items.front(), &control_});  // the last fork is the control
    }

    // Windows [first, first + windows.size()) of the whole measurement.
    void add(std::span<const TokenWindow> windows, std::int64_t first) {
        const auto chunks = make_chunks(windows, options_.context, kChunkRows);
        const PassResult pass = run_pass(model_, engine_, chunks, {.forks = forks_});
        std::vector<const FinalStates*> variants;
        for (const ForkResult& fork : pass.forks) variants.push_back(&fork.states);
        auto runs = score_runs(engine_, chunks, pass.reference, variants);
        append(runs[0].blocks, first, reference_);
        for (std::size_t f = 0; f < forks_.size(); ++f) {
            append(runs[f + 1].blocks, first, sums_[f].blocks);
            add_errors(pass.forks[f], sums_[f]);
        }
    }

    SensitivityResult result(std::int64_t window_tokens) const {
        SensitivityResult out;
        out.baseline = perplexity_result(reference_, window_tokens);
        out.treatment = to_string(options_.treatment);
        for (std::size_t i = 0; i < options_.items.size(); ++i) out.linears.push_back(linear(i));
        rank_linears(out.linears);
        out.control = control();
        return out;
    }

  private:
    static void append(const std::vector<BlockSums>& from, std::int64_t first_window, std::vector<BlockSums>& to) {
        for (BlockSums b : from) {
            b.window += first_window;
            to.push_back(b);
        }
    }

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
        for (std::size_t b = 0; b < fork.propagation.size(); ++b) add(fork.propagation[b], sums.propagation[b]);
    }

    static double ratio(const compute::SquaredError& s) { return s.reference > 0 ? std::sqrt(s.error / s.reference) : 0; }

    SensitivityLinear linear(std::size_t index) const {
        const LinearItem& item = model_.items()[options_.items[index]];
        const ForkSums& sums = sums_[index];
        const DamageSummary damage = summarize_damage(reference_, sums.blocks, options_.seed);
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
                out.damage_per_output_error = out.kl / (*out.relative_output_error * *out.relative_output_error);
            }
        } else {
            out.depth = item.role == LinearItem::Role::kHead ? "head" : "embedding";
        }
        for (const auto& block : sums.propagation) out.propagation.push_back(ratio(block));
        out.windows = window_sums(sums.blocks, true);
        out.blocks = sums.blocks;
        return out;
    }

    Control control() const {
        const std::vector<BlockSums>& own = sums_.back().blocks;
        Control out{summarize_damage(reference_, own, options_.seed).kl, true};
        for (std::size_t i = 0; i < own.size(); ++i) {
            out.identical = out.identical && own[i].nll_sum == reference_[i].nll_sum && own[i].kl_sum == 0;
        }
        if (!out.identical) throw NumericError("the control, a swap that changes nothing, differs from the reference: this is a bug of Assay");
        return out;
    }

    const Model& model_;
    const Engine& engine_;
    const SensitivityOptions& options_;
    TreatmentOverlay treated_, control_;
    std::vector<Fork> forks_;
    std::vector<BlockSums> reference_;
    std::vector<ForkSums> sums_;
};

std::int64_t longest(std::span<const TokenWindow> windows) {
    std::size_t tokens = 0;
    for (const TokenWindow& w : windows) tokens = std::max(tokens, w.size());
    return static_cast<std::int64_t>(tokens);
}

void check(std::span<const TokenWindow> windows, const SensitivityOptions& options) {
    if (options.items.empty()) throw InvalidArgument("no linear is selected; --linears must match at least one name of `assay inspect`");
    if (windows.empty()) throw InvalidArgument("no windows to measure on");
}

}  // namespace

SensitivityResult measure_sensitivity(const Model& model, const Engine& engine, std::span<const TokenWindow> windows,
                                      const SensitivityOptions& options) {
    check(windows, options);
    const std::int64_t per_window = pass_state_bytes(model, engine.backend, longest(windows), static_cast<std::int64_t>(options.items.size()) + 1);
    const auto group = static_cast<std::size_t>(std::clamp<std::int64_t>(options.state_bytes / per_window, 1, static_cast<std::int64_t>(windows.size())));
    Sweep sweep(model, engine, options);
    for (std::size_t first = 0; first < windows.size(); first += group) {
        sweep.add(windows.subspan(first, std::min(group, windows.size() - first)), static_cast<std::int64_t>(first));
    }
    return sweep.result(longest(windows));
}

std::vector<std::vector<BlockSums>> measure_swaps_naively(const Model& model, const Engine& engine, std::span<const TokenWindow> windows,
                                                          const SensitivityOptions& options) {
    check(windows, options);
    const auto chunks = make_chunks(windows, options.context, kChunkRows);
    const PassResult reference = run_pass(model, engine, chunks, {});
    std::vector<std::vector<BlockSums>> sums;
    for (std::size_t i : options.items) {
        const TreatmentOverlay overlay(options.treatment, [&](const LinearItem& item) { return item.name == model.items()[i].name; });
        const PassResult swapped = run_pass(model, engine, chunks, {.overlay = &overlay});
        const FinalStates* variant = &swapped.reference;
        sums.push_back(score_runs(engine, chunks, reference.reference, std::span(&variant, 1))[1].blocks);
    }
    return sums;
}

}  // namespace assay
