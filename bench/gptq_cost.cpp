// What treating a whole model by calibrated methods costs, beside what its floating-point operations would
// take at the rate of the model's own f32 products, measured on both sides of each treatment. Prints one
// JSON document. bench/llmcompressor_gptq.py is the peer on the same windows.
//
// usage: gptq_cost MODEL [--treatment T]… [--ids FILE] [--window N] [--windows N] [--threads N]
// [--repeats N] [--windows-file F]
//   --ids FILE: windows as a JSON array of arrays of ids; else the first ones of the built-in WikiText-2
//   --windows-file F: write the windows' ids there, so that a peer can run the same ones
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/rng.h"
#include "compute/cpu/cpu_backend.h"
#include "container/json.h"
#include "measure/hessians.h"
#include "measure/run_cost.h"
#include "model/model_files.h"
#include "peer_windows.h"
#include "text/builtin_text.h"
#include "text/windows.h"
#include "timing.h"
#include "treat/sequential.h"
#include "workflow/tokenizer_files.h"

namespace assay::bench {
namespace {

struct Arguments {
    std::string model, ids, windows_file;
    std::vector<std::string> treatments;
    std::int64_t window = 512, windows = 32;
    int threads = 2, repeats = 1;
};

Arguments parse(int argc, char** argv) {
    Arguments a;
    a.model = argc > 1 ? argv[1] : "";
    for (int i = 2; i + 1 < argc; i += 2) {
        const std::string name = argv[i], value = argv[i + 1];
        if (name == "--treatment")
            a.treatments.push_back(value);
        else if (name == "--ids")
            a.ids = value;
        else if (name == "--window")
            a.window = std::stol(value);
        else if (name == "--windows")
            a.windows = std::stol(value);
        else if (name == "--threads")
            a.threads = std::stoi(value);
        else if (name == "--repeats")
            a.repeats = std::stoi(value);
        else if (name == "--windows-file")
            a.windows_file = value;
        else
            throw InvalidArgument("unknown option " + name);
    }
    if (a.treatments.empty()) a.treatments = {"int4-sym-g64:gptq", "int4-sym-g64:gptq(act-order)"};
    return a;
}

std::vector<EvaluationWindow> windows_of(const Arguments& a, const ModelFiles& files, const Model& model) {
    if (!a.ids.empty()) {
        const auto file = MappedFile::open(a.ids);
        const std::string_view text(reinterpret_cast<const char*>(file->bytes().data()),
                                    file->bytes().size());
        auto windows = parse_ids(text, a.ids, model.config().vocabulary);
        windows.resize(std::min(windows.size(), static_cast<std::size_t>(a.windows)));
        return windows;
    }
    return gptq_windows(load_tokenizer(files).encode(builtin_evaluation_text(), false),
                        {a.window, a.windows});
}

// Floating-point operations that GPTQ needs at least; a multiply-add counts two.
struct Flops {
    double products = 0;    // each block twice, as it is and treated; as it is not its last projections
    double attention = 0;   // twice, the causal half
    double statistics = 0;  // half of XᵀX of each input; q, k and v share one, gate and up another
    double rounding = 0;  // H = U Uᵀ and U⁻¹, n³/3 each; of each weight's error, on all columns behind it

    double all() const { return products + attention + statistics + rounding; }
};

Flops flops_of(const Model& model, std::span<const std::size_t> items,
               std::span<const EvaluationWindow> windows) {
    Flops flops;
    double positions = 0;
    for (const EvaluationWindow& window : windows) {
        const auto tokens = static_cast<std::int64_t>(window.tokens.size());
        positions += static_cast<double>(tokens);
        for (std::int64_t b = 0; b < model.config().layers; ++b) {
            flops.products += 2 * linear_flops(model, b, tokens);
            flops.attention += 2 * attention_flops(model, b, tokens);
        }
    }
    const std::vector<SharedInput> inputs = shared_inputs(model, items);
    for (std::size_t k = 0; k < inputs.size(); ++k) {
        const auto in = static_cast<double>(model.items()[inputs[k].items.front()].in);
        flops.statistics += in * in * positions;
        flops.rounding += 2 * in * in * in / 3;
        const bool last = k + 1 == inputs.size() || inputs[k + 1].block != inputs[k].block;
        for (const std::size_t i : inputs[k].items) {
            const auto out = static_cast<double>(model.items()[i].out);
            flops.rounding += out * in * in;
            if (last) flops.products -= 2 * positions * out * in;
        }
    }
    return flops;
}

// FLOP of f32 products of the model's widest linear in a second of processor time.
double product_rate(const Engine& engine, const LinearItem& item) {
    constexpr std::int64_t kRows = 4096;
    constexpr int kCalls = 20;
    Matrix<float> w(item.out, item.in), values(kRows, item.in);
    Rng rng(1);
    for (Matrix<float>* m : {&w, &values}) {
        for (float& v : m->values()) v = static_cast<float>(rng.uniform() - 0.5);
    }
    const auto packed = engine.backend.pack_linear(w.view(), {});
    compute::Tensor x = engine.backend.allocate(kRows, item.in);
    compute::Tensor y = engine.backend.allocate(kRows, item.out);
    engine.backend.upload(values.view(), x);
    const compute::Batch batch({kRows});
    engine.backend.linear(batch, x, *packed, nullptr, y);  // warm-up
    const Seconds seconds = seconds_of([&] {
        for (int i = 0; i < kCalls; ++i) engine.backend.linear(batch, x, *packed, nullptr, y);
    });
    return kCalls * 2.0 * kRows * static_cast<double>(item.out * item.in) / seconds.processor;
}

Json measure(const Model& model, const Engine& engine, std::span<const EvaluationWindow> windows,
             std::span<const std::size_t> items, const std::string& treatment, int repeats) {
    const Flops flops = flops_of(model, items, windows);
    const auto widest = std::max_element(items.begin(), items.end(), [&](std::size_t a, std::size_t b) {
        return model.items()[a].out * model.items()[a].in < model.items()[b].out * model.items()[b].in;
    });
    std::vector<double> wall, processor, rates, over;
    for (int r = 0; r < repeats; ++r) {
        const double before = product_rate(engine, model.items()[*widest]);
        const Seconds seconds = seconds_of([&] {
            treat_sequentially(
                model, engine, windows,
                {.treatment = parse_treatment(treatment), .items = {items.begin(), items.end()}});
        });
        rates.push_back((before + product_rate(engine, model.items()[*widest])) / 2);
        wall.push_back(seconds.wall);
        processor.push_back(seconds.processor);
        over.push_back(seconds.processor * rates.back() / flops.all());
    }
    return {{"treatment", treatment},
            {"seconds", wall},
            {"processor_seconds", processor},
            {"product_gflops_a_processor_second", median(rates) / 1e9},
            {"bound_processor_seconds", flops.all() / median(rates)},
            {"over_bound", median(over)},
            {"tflop",
             {{"products", flops.products / 1e12},
              {"attention", flops.attention / 1e12},
              {"statistics", flops.statistics / 1e12},
              {"rounding", flops.rounding / 1e12},
              {"all", flops.all() / 1e12}}}};
}

int run(const Arguments& a) {
    const ModelFiles files = open_model_files(a.model);
    const Model model = load_model(files);
    const auto windows = windows_of(a, files, model);
    write_windows(a.windows_file, windows);
    std::vector<std::size_t> items;
    for (std::size_t i = 0; i < model.items().size(); ++i) {
        if (model.items()[i].role == LinearItem::Role::kBlock) items.push_back(i);
    }
    ThreadPool pool(a.threads);
    const CancelToken cancel;
    const auto backend = compute::make_cpu_backend(pool);
    const Engine engine{*backend, pool, silent_progress(), cancel};
    Json results = Json::array();
    for (const std::string& treatment : a.treatments)
        results.push_back(measure(model, engine, windows, items, treatment, a.repeats));
    fmt::print(
        "{}\n",
        Json({{"backend", backend->description()}, {"windows", windows.size()}, {"runs", results}}).dump(1));
    return 0;
}

}  // namespace
}  // namespace assay::bench

int main(int argc, char** argv) {
    try {
        return assay::bench::run(assay::bench::parse(argc, argv));
    } catch (const std::exception& e) {
        fmt::print(stderr, "gptq_cost: {}\n", e.what());
        return 1;
    }
}
