#include <cerrno>
#include <cstdio>
#include <cstring>

#include <cstdlib>
#include <filesystem>

#include "base/atomic_file.h"
#include "base/error.h"
#include "cli/command.h"
#include "report/text_report.h"

namespace assay::cli {

namespace {

// As the XDG base directory specification says; none without a home.
std::filesystem::path default_cache() {
    const char *cache = std::getenv("XDG_CACHE_HOME"), *home = std::getenv("HOME");
    if (cache != nullptr && *cache != '\0') return std::filesystem::path(cache) / "assay";
    return home != nullptr && *home != '\0' ? std::filesystem::path(home) / ".cache" / "assay"
                                            : std::filesystem::path();
}

}  // namespace

void add_model_options(CLI::App& verb, ModelOptions& options) {
    verb.add_option("MODEL", options.model,
                    "a Hugging Face folder (config.json, *.safetensors) or a .gguf file")
        ->required();
    verb.add_option("--threads", options.threads, "worker threads; 0: all cores. Results do not depend on it")
        ->check(CLI::Range(0, 1024));
    verb.add_option(
            "--precision", options.precision,
            "of the linears and the output layer: f32, bf16 (inputs rounded, sums in f32), or auto: bf16 "
            "where the processor has fast kernels")
        ->check(CLI::IsMember({"auto", "f32", "bf16"}))
        ->capture_default_str();
    verb.add_option("--memory", options.memory,
                    "GiB of memory to stay under: weights are streamed, windows go in groups. Results do not "
                    "depend on it; 0: four fifths of what is free")
        ->check(CLI::Range(0.0, 1e6));
    options.cache = default_cache();
    verb.add_option(
            "--cache", options.cache,
            "folder where an interrupted run leaves what it had finished: the same command goes on from "
            "there; '': nothing is kept")
        ->capture_default_str();
    verb.add_option("--backend", options.backend, "cpu, or reference: naive float64, for tiny models only")
        ->check(CLI::IsMember({"cpu", "reference"}))
        ->capture_default_str();
}

void add_text_options(CLI::App& verb, EvaluationText& options) {
    verb.add_option("--text", options.text,
                    "a UTF-8 text file; without it the built-in WikiText-2 test text");
    verb.add_option("--ids", options.ids,
                    "a JSON array of windows, each an array of token ids, instead of a text");
    verb.add_option("--window", options.window, "tokens of a window")
        ->check(CLI::Range(2, 1 << 24))
        ->default_str(options.window ? std::to_string(*options.window) : "2048; llama.cpp: 512");
    verb.add_option("--max-windows", options.max_windows, "measure on at most so many windows; 0: all")
        ->check(CLI::Range(0, 1 << 30))
        ->capture_default_str();
    verb.add_option("--context", options.context,
                    "leading positions of each window that are context only, not scored")
        ->check(CLI::Range(0, 1 << 30))
        ->capture_default_str();
}

void add_calibration_options(CLI::App& verb, CalibrationText& options) {
    verb.add_option("--calibration", options.set,
                    "text to calibrate on: a built-in set (c4, code, wiki, mixed: all three), or a .txt or "
                    ".jsonl file, or a folder of them; or a mix of these by weight: c4:2,code:1")
        ->capture_default_str();
    verb.add_option("--calibration-field", options.field, "member of each line of a .jsonl that has the text")
        ->capture_default_str();
    verb.add_option("--samples", options.samples, "calibration windows, at random places")
        ->check(CLI::Range(1, 1 << 24))
        ->capture_default_str();
    verb.add_option("--length", options.length,
                    "tokens of a calibration window, at most the model's context length")
        ->check(CLI::Range(3, 1 << 24))
        ->capture_default_str();
}

void add_treatment_option(CLI::App& verb, std::string& treatment) {
    verb.add_option(
            "--treatment", treatment,
            "number format and method, such as int4-g64, int4-sym-g128:rtn, int8-channel, "
            "int4-g64(scale=f32), fp8-e4m3, fp8-e4m3-b128x128(scale=f32), mxfp4, nvfp4; method rtn, or "
            "clip, as int4-g64:clip")
        ->capture_default_str();
}

void add_treatments_option(CLI::App& verb, std::vector<std::string>& treatments) {
    verb.add_option("--treatment", treatments,
                    "number format and method, as int4-g64, int8-channel, fp8-e4m3, mxfp4, "
                    "int8-sym-channel+a8-token; may "
                    "be repeated")
        ->allow_extra_args(false)
        ->capture_default_str();
}

void add_method_options(CLI::App& verb, std::string& method, std::int64_t& top, std::uint64_t& seed) {
    verb.add_option("--seed", seed, "of the sampled labels and the intervals' bootstrap")
        ->capture_default_str();
    verb.add_option(
            "--method", method,
            "hybrid: all linears scored from one reverse pass, the worst measured by exact swaps; exact: "
            "every swap measured; score: estimates only")
        ->check(CLI::IsMember({"hybrid", "exact", "score"}))
        ->capture_default_str();
    verb.add_option("--top", top, "hybrid: linears that are measured for each treatment")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
}

void add_sensitivity_options(CLI::App& verb, SweepOptions& options) {
    add_method_options(verb, options.method, options.top, options.seed);
    verb.add_flag("--parts", options.parts,
                  "tell which rows, channels and heads of each scored linear its damage comes from");
}

CLI::Option* add_task_options(CLI::App& verb, EvalOptions& options) {
    CLI::Option* task = verb.add_option(
        "--task", options.task,
        "mmlu; continuation, the true next sentence of a text among three others; or a file of JSON "
        "lines laid out as HellaSwag, ARC, PIQA or WinoGrande, or with context, choices and answer");
    verb.add_option("--task-data", options.task_data,
                    "of mmlu: folder with dev/SUBJECT_dev.csv and test/SUBJECT_test.csv")
        ->needs(task);
    verb.add_option("--shots", options.shots, "of mmlu: solved examples before each question; without it 5")
        ->check(CLI::Range(0, 1000))
        ->needs(task);
    verb.add_option("--subjects", options.subjects,
                    "of mmlu: only subjects whose name contains a match of this regular expression")
        ->needs(task);
    verb.add_option("--max-questions", options.max_questions,
                    "at most so many, spread evenly over the subjects; 0: all. Without it all, and 400 of "
                    "continuation")
        ->check(CLI::Range(0, 1 << 30))
        ->needs(task);
    verb.add_option(
            "--metric", options.metric,
            "how a choice is picked: acc, the largest log-likelihood; acc_norm, the largest per character; "
            "without it as the task usually is")
        ->check(CLI::IsMember({"acc", "acc_norm"}))
        ->needs(task);
    return task;
}

void add_linears_option(CLI::App& verb, std::string& linears) {
    verb.add_option("--linears", linears,
                    "only linears whose name contains a match of this regular expression");
}

void add_json_option(CLI::App& verb, std::string& json) {
    // Checked before the work begins: hours of measuring must not end at a folder that is not there.
    const auto folder_exists = [](std::string& file) -> std::string {
        const auto folder = std::filesystem::path(file).parent_path();
        return folder.empty() || std::filesystem::is_directory(folder) ? "" : "no folder " + folder.string();
    };
    verb.add_option("--json", json,
                    "write the results as JSON to this file; - prints them instead of the text")
        ->check(CLI::Validator(folder_exists, "FILE"));
}

void add_output_folder_option(CLI::App& verb, std::filesystem::path& folder) {
    const auto can_be_folder = [](std::string& path) -> std::string {
        const bool taken = std::filesystem::exists(path) && !std::filesystem::is_directory(path);
        return taken ? path + " exists and is not a folder" : "";
    };
    verb.add_option("-o,--output", folder, "folder for results.json and report.html")
        ->check(CLI::Validator(can_be_folder, "FOLDER"))
        ->capture_default_str();
}

void show(const Envelope& envelope, const std::string& json) {
    if (!json.empty() && json != "-") write_file(json, results_text(envelope));
    const std::string text = json == "-" ? results_text(envelope) : text_report(envelope);
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
        throw Error(std::string("standard output: cannot write the results: ") + std::strerror(errno));
    }
}

}  // namespace assay::cli
