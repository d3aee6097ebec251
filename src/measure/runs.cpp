#include "measure/runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/error.h"
#include "measure/nonfinite.h"
#include "measure/window_groups.h"

namespace assay {
namespace {

void expect_same_vocabulary(std::span<const Run> runs) {
    for (const Run& run : runs) {
        const std::int64_t own = run.model->config().vocabulary, first = runs[0].model->config().vocabulary;
        if (own == first) continue;
        throw FormatError(fmt::format(
            "{} has a vocabulary of {} tokens, {} one of {}: their predictions cannot be compared",
            run.model->path(), own, runs[0].model->path(), first));
    }
}

// For the error text: the linear at which some run's numbers stop being finite.
std::string where_it_begins(const Engine& engine, std::span<const TokenChunk> chunks,
                            std::span<const Run> runs) {
    for (const Run& run : runs) {
        const auto linear = first_nonfinite_output(*run.model, engine, chunks, run.overlay);
        if (linear)
            return fmt::format("; the first output that is not finite is that of {} in {}", *linear,
                               run.model->path());
    }
    return "";
}

std::vector<RunScores> measure_group(const Engine& engine, std::span<const EvaluationWindow> windows,
                                     std::span<const Run> runs, const MeasureOptions& options) {
    const auto chunks = make_chunks(windows, engine.limits.chunk_rows);
    std::vector<PassResult> passes;
    for (const Run& run : runs)
        passes.push_back(run_pass(*run.model, engine, chunks, {.overlay = run.overlay}));
    std::vector<const FinalStates*> variants;
    for (std::size_t i = 1; i < passes.size(); ++i) variants.push_back(&passes[i].reference);
    try {
        return score_runs(engine, chunks, passes[0].reference, variants, options.keep_tokens);
    } catch (const NumericError& e) {
        throw NumericError(e.what() + where_it_begins(engine, chunks, runs));
    }
}

}  // namespace

std::size_t windows_per_group(const Model& model, const compute::Backend& backend,
                              std::span<const EvaluationWindow> windows, std::int64_t runs,
                              std::int64_t state_bytes) {
    const std::int64_t per_window = pass_state_bytes(model, backend, longest_window(windows), runs);
    const auto all = std::max<std::int64_t>(1, static_cast<std::int64_t>(windows.size()));
    return static_cast<std::size_t>(std::clamp<std::int64_t>(state_bytes / per_window, 1, all));
}

std::vector<RunScores> measure_runs(const Engine& engine, std::span<const EvaluationWindow> windows,
                                    std::span<const Run> runs, const MeasureOptions& options) {
    if (runs.empty()) throw InvalidArgument("measure_runs: no run");
    expect_same_vocabulary(runs);
    std::vector<RunScores> all(runs.size());
    const auto count = static_cast<std::int64_t>(runs.size());
    std::size_t group = windows.size();
    for (const Run& run : runs)
        group = std::min(
            group, windows_per_group(*run.model, engine.backend, windows, count, engine.limits.state_bytes));
    for_each_group(
        engine, windows, group, count, "runs",
        [&](std::span<const EvaluationWindow> part) {
            std::vector<double> numbers;
            for (const RunScores& scores : measure_group(engine, part, runs, options))
                append_numbers(scores, numbers);
            return numbers;
        },
        [&](NumberReader& numbers, std::int64_t first) {
            for (RunScores& run : all) append_scores(read_scores(numbers), first, run);
        });
    return all;
}

}  // namespace assay
