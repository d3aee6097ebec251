#include "measure/runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/checked.h"
#include "base/error.h"
#include "measure/nonfinite.h"
#include "measure/window_groups.h"
#include "model/rope.h"

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
    const auto chunks = make_chunks(windows, engine.limits.chunk_rows, options.prefixes);
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

// Rows of the largest group of `count` windows.
std::int64_t largest_group(std::span<const EvaluationWindow> windows, std::span<const std::int64_t> shared,
                           std::size_t count, std::int64_t chunk_rows) {
    std::int64_t most = 0;
    for (std::size_t first = 0; first < windows.size(); first += count) {
        const std::size_t own = std::min(count, windows.size() - first);
        std::int64_t rows = 0;
        for (const ChunkRun& run :
             plan_chunks(windows.subspan(first, own), shared.subspan(first, own), chunk_rows))
            rows += run.rows;
        most = std::max(most, rows);
    }
    return most;
}

bool turns_alike(const RopeConfig& rope, std::int64_t positions) {
    return rope_variants(rope, positions).size() <= 1;
}

}  // namespace

bool can_share_prefixes(const Model& model, std::span<const EvaluationWindow> windows) {
    const std::int64_t longest = longest_window(windows);
    return turns_alike(model.config().rope, longest) && turns_alike(model.config().local_rope, longest);
}

GroupSize group_size(const Model& model, const compute::Backend& backend,
                     std::span<const EvaluationWindow> windows, std::span<const std::int64_t> shared,
                     std::int64_t runs, const MemoryLimits& limits) {
    if (shared.empty()) {
        const std::size_t count = windows_per_group(model, backend, windows, runs, limits.state_bytes);
        return {count, static_cast<std::int64_t>(count) * longest_window(windows)};
    }
    const std::int64_t fit = limits.state_bytes / pass_state_bytes(model, backend, 1, runs);
    GroupSize size{windows.size(), largest_group(windows, shared, windows.size(), limits.chunk_rows)};
    while (size.windows > 1 && size.rows > fit) {
        size.windows = (size.windows + 1) / 2;
        size.rows = largest_group(windows, shared, size.windows, limits.chunk_rows);
    }
    return size;
}

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
    const std::vector<std::int64_t> shared = shared_rows(windows, options.prefixes);
    GroupSize group{windows.size()};
    for (const Run& run : runs) {
        const GroupSize own = group_size(*run.model, engine.backend, windows, shared, count, engine.limits);
        if (own.windows <= group.windows) group = own;
    }
    const std::int64_t rows =
        shared.empty() ? 0 : ceil_div(group.rows, static_cast<std::int64_t>(group.windows));
    for_each_group(
        engine, windows, group.windows, count, "runs",
        [&](std::span<const EvaluationWindow> part) {
            std::vector<double> numbers;
            for (const RunScores& scores : measure_group(engine, part, runs, options))
                append_numbers(scores, numbers);
            return numbers;
        },
        [&](NumberReader& numbers, std::int64_t first) {
            for (RunScores& run : all) append_scores(read_scores(numbers), first, run);
        },
        rows);
    return all;
}

}  // namespace assay
