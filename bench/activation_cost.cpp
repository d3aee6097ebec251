// What activation statistics cost beside the forward pass that they are taken from, in f32 and, where the
// processor has it, in bf16; turn by turn in one run. Prints one JSON document.
//
// usage: activation_cost MODEL [WINDOW] [WINDOWS] [THREADS] [REPEATS]
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "container/json.h"
#include "measure/activations.h"
#include "model/model_files.h"
#include "text/builtin_text.h"
#include "text/windows.h"
#include "timed_backend.h"
#include "timing.h"
#include "workflow/tokenizer_files.h"

namespace assay::bench {
namespace {

Json measure(const Model& model, ThreadPool& pool, compute::Precision precision,
             std::span<const EvaluationWindow> windows, long repeats) {
    TimedBackend backend(compute::make_cpu_backend(pool, {compute::CpuKernels::kBest, precision}));
    const CancelToken cancel;
    const Engine engine{backend, pool, silent_progress(), cancel};
    const auto chunks = make_chunks(windows, engine.limits.chunk_rows);
    std::vector<std::size_t> items;
    for (std::size_t i = 0; i < model.items().size(); ++i) {
        if (model.items()[i].block >= 0) items.push_back(i);
    }
    run_pass(model, engine, chunks, {});  // warm-up
    std::vector<double> without, with, reductions, ratios;
    for (long r = 0; r < repeats; ++r) {
        without.push_back(time_of([&] { run_pass(model, engine, chunks, {}); }));
        backend.seconds.clear();
        with.push_back(time_of([&] { measure_activations(model, engine, windows, items); }));
        reductions.push_back(backend.seconds["activation statistics"] / without.back());
        ratios.push_back(with.back() / without.back());
    }
    return {{"backend", backend.description()},
            {"seconds_without", without},
            {"seconds_with", with},
            {"with_over_without", median(ratios)},
            {"reductions_over_without", median(reductions)}};
}

int run(int argc, char** argv) {
    const auto number = [&](int i, long otherwise) { return argc > i ? std::stol(argv[i]) : otherwise; };
    const ModelFiles files = open_model_files(argv[1]);
    const Model model = load_model(files);
    const auto windows = gptq_windows(load_tokenizer(files).encode(builtin_evaluation_text(), true),
                                      {.window_tokens = number(2, 512), .max_windows = number(3, 8)});
    ThreadPool pool(static_cast<int>(number(4, 2)));
    Json results = Json::array();
    for (const auto precision : {compute::Precision::kF32, compute::Precision::kBf16}) {
        if (compute::cpu_supports({compute::CpuKernels::kBest, precision}))
            results.push_back(measure(model, pool, precision, windows, number(5, 5)));
    }
    fmt::print("{}\n", results.dump(1));
    return 0;
}

}  // namespace
}  // namespace assay::bench

int main(int argc, char** argv) {
    if (argc < 2) return 2;
    return assay::bench::run(argc, argv);
}
