// What a user asks for, as plain values.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace assay {

struct ModelOptions {
    std::filesystem::path model;  // a Hugging Face folder or a .gguf file
    int threads = 0;              // 0: all cores
    std::string backend = "cpu";  // or "reference": naive float64, for tiny models
    std::string precision =
        "f32";          // of the linears and the output layer: f32, bf16, or auto: bf16 where it is fast
    double memory = 0;  // GiB that the program may hold; 0: four fifths of what the machine has left
    std::filesystem::path cache;  // folder for finished parts of interrupted runs; empty: none are kept
};

// Where the windows come from (token ids, a text file, or the built-in text), and how a text is cut into
// them.
struct EvaluationText {
    std::optional<std::filesystem::path> text;
    std::optional<std::filesystem::path> ids;  // a JSON array of windows of token ids
    std::string protocol = "gptq";             // or llama.cpp, sliding: text/windows.h
    // Tokens; at most the model's context length. None: 2048, or 512 with llama.cpp.
    std::optional<std::int64_t> window;
    std::optional<std::int64_t> stride;  // of sliding; none: half a window
    std::int64_t max_windows = 0;        // 0: all
    std::int64_t context = 0;            // of gptq: leading positions of each window that are not scored
    bool bos_per_window = false;         // of gptq: each window starts with BOS where the tokenizer uses it
};

// Text that methods and statistics learn from, apart from what they are measured on.
struct CalibrationText {
    // c4, code, wiki or mixed (all three), which the program carries; or a .txt or .jsonl file, or a folder
    // of such files; or a mix of these by weight, c4:2,code:1.
    std::string set = "mixed";
    std::string field = "text";  // member of each line of a .jsonl
    std::int64_t samples = 128;  // windows
    std::int64_t length = 2048;  // tokens of each; at most the model's context length
    std::uint64_t seed = 0;
};

struct PerplexityOptions {
    ModelOptions model;
    EvaluationText text;
    std::optional<std::filesystem::path> against;  // the reference
    std::optional<std::string>
        treatment;  // treat the model's block linears; the reference is then the model itself
    // Of a calibrated treatment: a JSON array of windows of token ids.
    std::optional<std::filesystem::path> calibration_ids;
    CalibrationText calibration{.samples = 32, .length = 512};  // where there are no ids
    std::uint64_t seed = 0;
};

struct WeightsOptions {
    ModelOptions model;
    std::string treatment = "int4-g128";
    std::string linears = "";    // regular expression, searched in names; empty: all
    std::string sweep = "none";  // groups, clip, all
    bool histograms = false;     // and maps of the errors, for the report
    double range_ratio = 2;      // above it a linear is worth a warning
    // With the clip sweep: text whose activations tell the errors of outputs; none: weights alone.
    std::optional<CalibrationText> calibration;
};

struct ActivationsOptions {
    ModelOptions model;
    EvaluationText text;          // where it names a text or ids, these; else
    CalibrationText calibration;  // windows of this
    std::string linears = "";
};

struct SweepOptions {  // sensitivity and diagnose
    ModelOptions model;
    EvaluationText text{.window = 256, .max_windows = 8, .context = 64, .bos_per_window = true};
    std::vector<std::string> treatments{"int4-g128"};  // of diagnose: one
    std::string method = "hybrid";                     // or exact, score: analyze/sensitivity.h
    // Of sensitivity: kl, or task:TASK, TASK as EvalOptions has it, and what goes with it there.
    std::string metric = "kl";
    std::optional<std::filesystem::path> task_data;
    std::optional<std::int64_t> shots, max_questions;
    std::string subjects = "";
    CalibrationText calibration{.samples = 32,
                                .length = 512};  // of calibrated treatments, and findings' GPTQ
    std::int64_t top = 4;                        // of hybrid: the worst that are measured
    // Of hybrid sensitivity: swaps go on over up to so many windows while their order is open; none:
    // max_windows.
    std::optional<std::int64_t> extend_to;
    std::string linears = "";
    std::uint64_t seed = 0;
    bool parts = false;         // tell scored linears' damage by row, channel and head
    std::int64_t findings = 5;  // of diagnose: linears whose damage is explained by swaps
};

struct CompareOptions {
    ModelOptions model;
    EvaluationText text{.window = 256, .max_windows = 8, .context = 64, .bos_per_window = true};
    std::vector<std::string> treatments;  // none: a sweep over groups, symmetry and bits
    std::string linears = "";
    std::uint64_t seed = 0;
};

struct TechniquesOptions {
    ModelOptions model;
    EvaluationText text{.window = 256, .max_windows = 8, .context = 64, .bos_per_window = true};
    std::string base = "int4-g128";       // the integer format in which methods are compared
    std::vector<std::string> treatments;  // none: the usual methods in `base`, and other formats beside it
    std::optional<double> budget;  // of mixed precision, bits a weight; none: half a bit more than base
    std::optional<std::filesystem::path> calibration_ids;
    CalibrationText calibration{.samples = 32, .length = 512};  // where there are no ids
    std::uint64_t seed = 0;
};

struct EvalOptions {
    ModelOptions model;
    std::string task;  // mmlu, continuation, or a file of questions: text/choice_lines.h
    std::optional<std::filesystem::path> task_data;  // of mmlu: a folder with dev/ and test/
    std::optional<std::filesystem::path> text;       // of continuation; none: the built-in text
    std::optional<std::int64_t> shots;               // of mmlu: solved examples before a question; none: 5
    std::string subjects = "";                       // of mmlu: regular expression; empty: all
    std::optional<std::int64_t> max_questions;       // 0: all; none: all, and 400 of continuation
    std::optional<std::string> metric;               // acc or acc_norm; none: the task's own
    std::optional<std::filesystem::path> against;    // as of perplexity, and the next
    std::optional<std::string> treatment;
    std::uint64_t seed = 0;  // of continuation's questions
};

struct CalibrationOptions {
    ModelOptions model;
    // What all calibrations are measured on, beside held-out documents of the built-in sets.
    EvaluationText text{.window = 256, .max_windows = 8, .context = 64, .bos_per_window = true};
    std::vector<std::string> treatments{"int4-g128:gptq(act-order)"};  // calibrated ones
    // As CalibrationText has them, and "random": tokens without any meaning.
    std::vector<std::string> sets{"mixed", "c4", "code", "wiki", "random"};
    CalibrationText calibration{.samples = 32, .length = 512};  // of each; its set and seed are not used
    std::vector<std::int64_t> counts{8, 16};                    // windows of the first set, beside that many
    std::vector<std::int64_t> lengths{};                        // and of its windows, as many tokens in all
    std::int64_t seeds = 3;                                     // draws of windows from each set
    std::uint64_t seed = 0;                                     // of the first of them
    // Where it names a task, all calibrations answer it; only what says which questions is used of it, and
    // continuation's text and seed are the ones above.
    EvalOptions task{};
};

struct BlameOptions {
    ModelOptions model;               // the checkpoint
    std::filesystem::path reference;  // the model that it was made from
    EvaluationText text{.window = 256, .max_windows = 8, .context = 64, .bos_per_window = true};
    std::string method = "hybrid";  // as of sensitivity, and the next three
    std::int64_t top = 4;
    std::string linears = "";
    std::uint64_t seed = 0;
};

struct PredictOptions {
    ModelOptions model;                      // a folder may hold its config.json only
    std::string measurement = "perplexity";  // or comparison, sweep
    std::int64_t window = 2048;
    std::int64_t windows = 16;
    std::int64_t context = 0;
};

struct ConvertOptions {
    std::filesystem::path model;
    std::filesystem::path output;  // a new folder
    std::string dtype = "bf16";    // or f16, f32
};

}  // namespace assay
