// End-to-end speed on a real model, as ratios measured in one run: perplexity against the machine's FMA peak,
// in f32 and bf16, and the exact sweep against the naive loop. Prints one JSON document.
//
// usage: throughput MODEL [--window N] [--windows N] [--threads N] [--repeats N] [--sweep LINEARS]
// [--sweep-precision f32|bf16] [--windows-file F]
//   --sweep N: also time the sweep of every linear, and the naive loop on N of them, evenly spread (0: no
//   sweep)
//   --windows-file F: write the windows' ids there, so that a peer can run the same ones
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "analyze/sensitivity.h"
#include "container/json.h"
#include "fma_peak.h"
#include "measure/runs.h"
#include "model/model_files.h"
#include "peer_windows.h"
#include "text/builtin_text.h"
#include "text/windows.h"
#include "timed_backend.h"
#include "timing.h"
#include "treat/treatment_overlay.h"
#include "workflow/tokenizer_files.h"

namespace assay::bench {
namespace {

struct Arguments {
    std::string model;
    std::string windows_file;
    std::int64_t window = 512, windows = 8, sweep = 0;
    int threads = 2, repeats = 5;
    compute::Precision sweep_precision = compute::Precision::kF32;
};

Arguments parse(int argc, char** argv) {
    Arguments a;
    a.model = argc > 1 ? argv[1] : "";
    for (int i = 2; i + 1 < argc; i += 2) {
        const std::string name = argv[i], value = argv[i + 1];
        if (name == "--window")
            a.window = std::stol(value);
        else if (name == "--windows")
            a.windows = std::stol(value);
        else if (name == "--threads")
            a.threads = std::stoi(value);
        else if (name == "--repeats")
            a.repeats = std::stoi(value);
        else if (name == "--sweep")
            a.sweep = std::stol(value);
        else if (name == "--sweep-precision" && (value == "f32" || value == "bf16"))
            a.sweep_precision = value == "f32" ? compute::Precision::kF32 : compute::Precision::kBf16;
        else if (name == "--windows-file")
            a.windows_file = value;
        else
            throw InvalidArgument("unknown option " + name);
    }
    return a;
}

// Two FLOPs per multiply-add: all linears and the head, and of attention the causal half only.
double flops_per_token(const Model& model, std::int64_t window) {
    const ModelConfig& c = model.config();
    double macs = static_cast<double>(c.vocabulary * c.hidden);
    for (const LinearItem& item : model.items()) {
        if (item.role == LinearItem::Role::kBlock) macs += static_cast<double>(item.out * item.in);
    }
    const double keys = (static_cast<double>(window) + 1) / 2;
    macs += static_cast<double>(c.layers * c.heads * c.head_dim) * 2 * keys;
    return 2 * macs;
}

// Repetitions of the perplexity in one precision.
struct Timing {
    std::vector<double> seconds, shares, peaks;
    std::map<std::string, std::vector<double>> parts;
};

void time_once(const Model& model, const Engine& engine, TimedBackend& backend,
               std::span<const EvaluationWindow> windows, const Arguments& a, Timing& timing) {
    const std::vector<Run> runs{{&model, nullptr}};
    const auto tokens = static_cast<double>(a.window * a.windows);
    backend.seconds.clear();
    const double before = measure_fma_peak(a.threads);
    const double seconds = time_of([&] { measure_runs(engine, windows, runs, {}); });
    // The machine's speed drifts: the peak is measured around each run.
    const double peak = (before + measure_fma_peak(a.threads)) / 2;
    timing.seconds.push_back(seconds);
    timing.peaks.push_back(peak);
    timing.shares.push_back(tokens * flops_per_token(model, a.window) / seconds / peak);
    double known = 0;
    for (const auto& [part, time] : backend.seconds) {
        timing.parts[part].push_back(time / seconds);
        known += time;
    }
    timing.parts["reading and packing weights, rest"].push_back(1 - known / seconds);
}

Json describe(const Model& model, const TimedBackend& backend, const Timing& timing, const Arguments& a) {
    Json split;
    for (const auto& [part, values] : timing.parts) split[part] = median(values);
    return {{"backend", backend.description()},
            {"window", a.window},
            {"windows", a.windows},
            {"seconds", timing.seconds},
            {"tokens_per_second", static_cast<double>(a.window * a.windows) / median(timing.seconds)},
            {"fma_peak_gflops", median(timing.peaks) / 1e9},
            {"flops_per_token", flops_per_token(model, a.window)},
            {"share_of_f32_peak", median(timing.shares)},
            {"share_of_time", split}};
}

// In f32 and, where the processor has it, in bf16, turn by turn.
Json time_perplexity(const Model& model, ThreadPool& pool, std::span<const EvaluationWindow> windows,
                     const Arguments& a) {
    const std::vector<Run> runs{{&model, nullptr}};
    const CancelToken cancel;
    std::vector<std::unique_ptr<TimedBackend>> backends;
    for (const auto precision : {compute::Precision::kF32, compute::Precision::kBf16}) {
        const compute::CpuOptions options{compute::CpuKernels::kBest, precision};
        if (!compute::cpu_supports(options)) continue;
        backends.push_back(std::make_unique<TimedBackend>(compute::make_cpu_backend(pool, options)));
        measure_runs({*backends.back(), pool, silent_progress(), cancel}, windows, runs, {});  // warm-up
    }
    std::vector<Timing> timings(backends.size());
    std::vector<double> ratios;
    for (int r = 0; r < a.repeats; ++r) {
        for (std::size_t i = 0; i < backends.size(); ++i)
            time_once(model, {*backends[i], pool, silent_progress(), cancel}, *backends[i], windows, a,
                      timings[i]);
        ratios.push_back(timings.front().seconds.back() / timings.back().seconds.back());
    }
    Json out{{"f32", describe(model, *backends.front(), timings.front(), a)}};
    if (backends.size() > 1) {
        out["bf16"] = describe(model, *backends.back(), timings.back(), a);
        out["bf16_over_f32"] = median(ratios);
    }
    return out;
}

// The naive loop: for each linear one whole evaluation of the model with that linear swapped. Its KL would
// need the reference's logits besides, so this favours the naive side.
double time_naive_evaluation(const Model& model, const Engine& engine, std::span<const TokenChunk> chunks,
                             const Treatment& treatment, std::size_t item) {
    const std::string& name = model.items()[item].name;
    const TreatmentOverlay overlay(treatment, [&](const LinearItem& other) { return other.name == name; });
    return time_of([&] {
        const PassResult pass = run_pass(model, engine, chunks, {.overlay = &overlay});
        score_runs(engine, chunks, pass.reference, {});
    });
}

// Whether whole runs of the most and the least damaging swap give the sweep's sums, bit for bit.
bool forks_equal_naive_runs(const Model& model, const Engine& engine,
                            std::span<const EvaluationWindow> windows, const SensitivityOptions& options,
                            const SensitivityResult& result) {
    const auto same = [&](const SensitivityLinear& linear) {
        std::size_t item = 0;
        while (model.items()[item].name != linear.name) ++item;
        return measure_swap_naively(model, engine, windows, options.treatments[0], item) == linear.blocks;
    };
    return same(result.linears.front()) && same(result.linears.back());
}

Json time_sweep(const Model& model, ThreadPool& pool, std::span<const EvaluationWindow> windows,
                const Arguments& a) {
    TimedBackend backend(compute::make_cpu_backend(pool, {compute::CpuKernels::kBest, a.sweep_precision}));
    const CancelToken cancel;
    const Engine engine{backend, pool, silent_progress(), cancel};
    SensitivityOptions options{.treatments = {parse_treatment("int4-g64")}};
    for (std::size_t i = 0; i < model.items().size(); ++i) options.items.push_back(i);
    const auto chunks = make_chunks(windows, engine.limits.chunk_rows);
    std::vector<double> naive;
    const auto time_some = [&](std::int64_t parity) {  // half of them before the sweep, half after
        for (std::int64_t k = parity; k < a.sweep; k += 2) {
            const std::size_t item =
                static_cast<std::size_t>(k) * model.items().size() / static_cast<std::size_t>(a.sweep);
            naive.push_back(time_naive_evaluation(model, engine, chunks, options.treatments[0], item));
        }
    };
    time_some(0);
    backend.seconds.clear();
    SensitivityResult result;
    const double sweep = time_of([&] { result = measure_sensitivity(model, engine, windows, options); });
    Json split;
    double known = 0;
    for (const auto& [part, time] : backend.seconds) {
        split[part] = time / sweep;
        known += time;
    }
    split["reading and packing weights, rest"] = 1 - known / sweep;
    time_some(1);
    return {{"backend", backend.description()},
            {"linears", model.items().size()},
            {"sweep_seconds", sweep},
            {"naive_seconds", naive},
            {"forks_equal_naive_runs", forks_equal_naive_runs(model, engine, windows, options, result)},
            {"ratio_to_naive", median(naive) * static_cast<double>(model.items().size()) / sweep},
            {"share_of_time", split}};
}

int run(const Arguments& a) {
    const ModelFiles files = open_model_files(a.model);
    const Model model = load_model(files);
    const auto ids = load_tokenizer(files).encode(builtin_evaluation_text(), false);
    const auto windows = gptq_windows(ids, {a.window, a.windows});
    write_windows(a.windows_file, windows);
    ThreadPool pool(a.threads);
    Json out{{"threads", a.threads}};
    out["perplexity"] = time_perplexity(model, pool, windows, a);
    if (a.sweep > 0) out["sweep"] = time_sweep(model, pool, windows, a);
    fmt::print("{}\n", out.dump(1));
    return 0;
}

}  // namespace
}  // namespace assay::bench

int main(int argc, char** argv) {
    try {
        return assay::bench::run(assay::bench::parse(argc, argv));
    } catch (const std::exception& e) {
        fmt::print(stderr, "throughput: {}\n", e.what());
        return 1;
    }
}
