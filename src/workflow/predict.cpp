// The verb predict.
#include <chrono>
#include <filesystem>
#include <numeric>

#include "base/error.h"
#include "measure/run_cost.h"
#include "model/model_files.h"
#include "workflow/session.h"
#include "workflow/workflow.h"

namespace assay {
namespace {

Model open_model(const std::filesystem::path& path) {
    const bool weightless = std::filesystem::is_directory(path) &&
                            !std::filesystem::exists(path / "model.safetensors") &&
                            !std::filesystem::exists(path / "model.safetensors.index.json");
    return weightless ? load_model_shapes(path) : load_model(open_model_files(path));
}

Workload workload_of(const Model& model, const PredictOptions& options,
                     std::span<const EvaluationWindow> windows) {
    if (options.measurement != "sweep")
        return {&model, options.measurement == "comparison" ? 2 : 1, {}, windows};
    std::vector<std::size_t> items(model.items().size());
    std::iota(items.begin(), items.end(), std::size_t{0});
    return sweep_workload(model, std::move(items), windows);
}

void set_memory(const MemoryNeed& need, const MemoryNeed& least, PredictResult& out) {
    out.memory_bytes = static_cast<double>(need.total());
    out.base_bytes = static_cast<double>(need.base);
    out.block_bytes = static_cast<double>(need.block);
    out.chunk_bytes = static_cast<double>(need.activations);
    out.state_bytes = static_cast<double>(need.states);
    out.head_bytes = static_cast<double>(need.head + need.scores);
    out.least_bytes = static_cast<double>(least.total());
}

void set_rates(const Rates& rates, bool weights, PredictResult& out) {
    out.linear_gflops = rates.linear_flops / 1e9;
    out.attention_gflops = rates.attention_flops / 1e9;
    out.head_gflops = rates.head_flops / 1e9;
    out.load_gweights = rates.packed_elements / 1e9;
    out.disk_gib = weights ? rates.disk_bytes / (1 << 30) : 0;
}

PredictResult describe(const Model& model, const PredictOptions& options, std::int64_t tokens) {
    PredictResult out;
    out.measurement = options.measurement;
    out.windows = options.windows;
    out.window_tokens = tokens;
    for (const LinearItem& item : model.items()) out.parameters += item.out * item.in;
    for (std::int64_t b = 0; b < model.config().layers; ++b)
        out.flops_per_token +=
            linear_flops(model, b, 1) + attention_flops(model, b, tokens) / static_cast<double>(tokens);
    const LinearItem& head = model.head_item();
    out.flops_per_token += 2 * static_cast<double>(head.out) * static_cast<double>(head.in);
    return out;
}

}  // namespace

Envelope predict(const PredictOptions& options, Progress& progress, const CancelToken& cancel) {
    const auto start = std::chrono::steady_clock::now();
    ThreadPool pool(options.model.threads);
    const auto backend = make_backend(options.model, pool);
    const Model model = open_model(options.model.model);
    const std::int64_t tokens = std::min(options.window, model.config().max_positions);
    const std::vector<EvaluationWindow> windows(
        static_cast<std::size_t>(options.windows),
        {TokenWindow(static_cast<std::size_t>(tokens)), std::min(options.context, tokens - 2)});
    const Workload work = workload_of(model, options, windows);
    const std::int64_t budget = memory_budget(options.model.memory);
    PredictResult result = describe(model, options, tokens);
    const Engine engine{*backend, pool, progress, cancel};
    const Rates rates = measure_rates(model, engine, tokens);
    const MemoryLimits smallest{.state_bytes = 1, .head_bytes = 1, .chunk_rows = 1};
    const MemoryNeed least = memory_need(work, *backend, pool.threads(), smallest);
    // A machine too small for the model still gets its answer: what the smallest pieces take.
    const MemoryLimits limits =
        least.total() > budget ? smallest : fit_memory(work, *backend, pool.threads(), budget);
    set_memory(memory_need(work, *backend, pool.threads(), limits), least, result);
    set_rates(rates, rates.disk_bytes < 1e12, result);
    result.seconds = predict_seconds(work, rates, limits, *backend);
    Envelope envelope;
    envelope.settings = {{"model", options.model.model.string()},
                         {"threads", pool.threads()},
                         {"backend", backend->description()},
                         {"memory", options.model.memory},
                         {"context", options.context}};
    envelope.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    envelope.result = std::move(result);
    return envelope;
}

}  // namespace assay
