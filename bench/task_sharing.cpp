// Questions per second with prefixes shared and with each choice computed whole, turn by turn in one run.
// Prints one JSON document; exits with 1 where a bit differs.
//
// usage: task_sharing MODEL MMLU_FOLDER [--shots N] [--questions N] [--subjects REGEX] [--repeats N]
// [--threads N]
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/error.h"
#include "container/json.h"
#include "measure/runs.h"
#include "model/model_files.h"
#include "text/task_windows.h"
#include "timing.h"
#include "workflow/task_files.h"
#include "workflow/tokenizer_files.h"

namespace assay::bench {
namespace {

struct Arguments {
    EvalOptions eval{.task = "mmlu", .shots = 5, .max_questions = 20};
    int threads = 2, repeats = 3;
};

Arguments parse(int argc, char** argv) {
    if (argc < 3) throw InvalidArgument("usage: task_sharing MODEL MMLU_FOLDER [options]");
    Arguments a;
    a.eval.model.model = argv[1];
    a.eval.task_data = argv[2];
    for (int i = 3; i + 1 < argc; i += 2) {
        const std::string name = argv[i], value = argv[i + 1];
        if (name == "--shots")
            a.eval.shots = std::stol(value);
        else if (name == "--questions")
            a.eval.max_questions = std::stol(value);
        else if (name == "--subjects")
            a.eval.subjects = value;
        else if (name == "--repeats")
            a.repeats = std::stoi(value);
        else if (name == "--threads")
            a.threads = std::stoi(value);
        else
            throw InvalidArgument("unknown option " + name);
    }
    return a;
}

// Rows that go through the blocks.
std::int64_t rows_of(std::span<const EvaluationWindow> windows, Prefixes prefixes) {
    std::int64_t rows = 0;
    for (const ChunkRun& run :
         plan_chunks(windows, shared_rows(windows, prefixes), MemoryLimits().chunk_rows))
        rows += run.rows;
    return rows;
}

int run(const Arguments& a) {
    const ModelFiles files = open_model_files(a.eval.model.model);
    const Model model = load_model(files);
    const Task task = load_task(a.eval).task;
    const auto windows = task_windows(task, load_tokenizer(files), model.config().max_positions).windows;
    ThreadPool pool(a.threads);
    const CancelToken cancel;
    const auto backend = compute::make_cpu_backend(pool);
    const Engine engine{*backend, pool, silent_progress(), cancel};
    const std::vector<Run> runs{{&model, nullptr}};
    const Prefixes ways[] = {Prefixes::kSeparate, Prefixes::kShared};
    std::vector<double> seconds[2];
    std::vector<BlockSums> blocks[2];
    for (int repeat = 0; repeat < a.repeats; ++repeat) {
        for (int way = 0; way < 2; ++way) {
            seconds[way].push_back(time_of([&] {
                blocks[way] = measure_runs(engine, windows, runs, {.prefixes = ways[way]})[0].blocks;
            }));
        }
    }
    const auto questions = static_cast<double>(task.questions.size());
    const bool same = blocks[0] == blocks[1];
    const Json document = {{"questions", questions},
                           {"subjects", task.subjects.size()},
                           {"shots", *a.eval.shots},
                           {"same_bits", same},
                           {"rows", {rows_of(windows, ways[0]), rows_of(windows, ways[1])}},
                           {"separate_questions_per_second", questions / median(seconds[0])},
                           {"shared_questions_per_second", questions / median(seconds[1])},
                           {"ratio", median(seconds[0]) / median(seconds[1])}};
    fmt::print("{}\n", document.dump(1));
    return same ? 0 : 1;
}

}  // namespace
}  // namespace assay::bench

int main(int argc, char** argv) {
    try {
        return assay::bench::run(assay::bench::parse(argc, argv));
    } catch (const std::exception& e) {
        fmt::print(stderr, "task_sharing: {}\n", e.what());
        return 2;
    }
}
