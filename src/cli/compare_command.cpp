// The verb compare, with what is compared as a verb of its own.
#include <memory>

#include "cli/command.h"
#include "workflow/workflow.h"

namespace assay::cli {
namespace {

void add_formats(CLI::App& verb, Action& chosen) {
    struct Values {
        CompareOptions options;
        std::string json;
    };
    const auto values = std::make_shared<Values>();
    CLI::App& formats = *verb.add_subcommand(
        "formats",
        "perplexity, KL, output errors and sizes of number formats, all linears of the blocks treated");
    formats.footer(
        "Examples:\n  assay compare formats MODEL --max-windows 4\n  assay compare formats MODEL --treatment "
        "int4-g64 "
        "--treatment nvfp4 --treatment fp8-e4m3 --json formats.json\nWithout --treatment: groups of 32, 64, "
        "128, 256 "
        "and whole rows x symmetric or not x 3, 4, 8 bits, and int3-g64 and int4-g64 with clipped ranges.");
    add_model_options(formats, values->options.model);
    add_text_options(formats, values->options.text);
    formats.add_option("--treatment", values->options.treatments, "compare these; may be repeated")
        ->allow_extra_args(false);
    add_linears_option(formats, values->options.linears);
    formats.add_option("--seed", values->options.seed, "of the intervals' bootstrap")->capture_default_str();
    add_json_option(formats, values->json);
    formats.callback([&chosen, values] {
        chosen = [values](const Context& context) {
            show(compare_formats(values->options, context.progress, context.cancel), values->json);
        };
    });
}

void add_techniques(CLI::App& verb, Action& chosen) {
    struct Values {
        TechniquesOptions options;
        std::string json;
    };
    const auto values = std::make_shared<Values>();
    CLI::App& techniques = *verb.add_subcommand(
        "techniques",
        "methods of quantization on the same calibration windows: perplexity, KL, sizes, time, kernels");
    techniques.footer(
        "Examples:\n  assay compare techniques MODEL --base int4-g128\n  assay compare techniques MODEL "
        "--base "
        "int4-sym-g64 --max-windows 4 --samples 32 --length 512 --json techniques.json\n  assay compare "
        "techniques MODEL --treatment int4-g64:gptq --treatment 'int4-g64:gptq(act-order,clip)'\nWithout "
        "--treatment: in the base format rtn, half the group size, clip, gptq in several ways, awq, both, "
        "yaqa, "
        "and mixed precision with 8 bits; int8 and fp8, with and without rounded inputs.");
    TechniquesOptions& options = values->options;
    add_model_options(techniques, options.model);
    add_text_options(techniques, options.text);
    add_calibration_options(techniques, options.calibration);
    techniques
        .add_option("--calibration-ids", options.calibration_ids,
                    "a JSON array, each an array of token ids; instead of --calibration")
        ->excludes(techniques.get_option("--calibration"));
    CLI::Option* treatments =
        techniques.add_option("--treatment", options.treatments, "compare these; may be repeated")
            ->allow_extra_args(false);
    techniques.add_option("--base", options.base, "the integer format in which methods are compared")
        ->capture_default_str()
        ->excludes(treatments);
    techniques
        .add_option("--budget", options.budget,
                    "bits a weight of the mixed precision; else half a bit more than the base format")
        ->excludes(treatments);
    techniques.add_option("--seed", options.seed, "of the intervals' bootstrap and of yaqa's labels")
        ->capture_default_str();
    add_json_option(techniques, values->json);
    techniques.callback([&chosen, values] {
        chosen = [values](const Context& context) {
            show(compare_techniques(values->options, context.progress, context.cancel), values->json);
        };
    });
}

void add_calibration(CLI::App& verb, Action& chosen) {
    struct Values {
        CalibrationOptions options;
        std::string json;
    };
    const auto values = std::make_shared<Values>();
    CLI::App& sets = *verb.add_subcommand(
        "calibration", "calibration texts and amounts of text: which is better, and whether that is shown");
    sets.footer(
        "Examples:\n  assay compare calibration MODEL --treatment 'int4-g64:gptq(act-order)' --samples 16\n  "
        "assay compare calibration MODEL --set c4 --set mine.jsonl --set random --counts 32,128,512 --seeds "
        "5 "
        "--json sets.json\n  assay compare calibration MODEL --set c4 --set code --task continuation "
        "--max-questions 200\nSets are c4, code, wiki, mixed (built in), random (tokens without meaning), a "
        "file or a "
        "folder. Every calibration is measured on the evaluation text and on documents of the built-in sets "
        "that "
        "no calibration reads; with --task also by the questions that it answers right. A set may be a mix "
        "by "
        "weight: --set c4:2,code:1.");
    CalibrationOptions& options = values->options;
    add_model_options(sets, options.model);
    add_text_options(sets, options.text);
    sets.add_option("--treatment", options.treatments, "calibrated ones; may be repeated")
        ->allow_extra_args(false)
        ->capture_default_str();
    sets.add_option("--set", options.sets, "calibrate on these; may be repeated")
        ->allow_extra_args(false)
        ->capture_default_str();
    sets.add_option("--samples", options.calibration.samples, "windows of each set")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20))
        ->capture_default_str();
    sets.add_option("--length", options.calibration.length, "tokens of a window, at most the model's context")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 24))
        ->capture_default_str();
    sets.add_option("--calibration-field", options.calibration.field,
                    "member of each line of a .jsonl that has the text")
        ->capture_default_str();
    sets.add_option("--counts", options.counts, "so many windows of the first set, too")
        ->delimiter(',')
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20))
        ->capture_default_str();
    sets.add_option(
            "--lengths", options.lengths,
            "windows of so many tokens of the first set, too, with about as many tokens in all as --samples "
            "of --length have")
        ->delimiter(',')
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 24));
    sets.add_option("--seeds", options.seeds, "draws of windows from each set")->capture_default_str();
    sets.add_option("--seed", options.seed, "of the first draw, and of the task's questions")
        ->capture_default_str();
    add_task_options(sets, options.task);
    add_json_option(sets, values->json);
    sets.callback([&chosen, values] {
        chosen = [values](const Context& context) {
            show(compare_calibration(values->options, context.progress, context.cancel), values->json);
        };
    });
}

}  // namespace

void add_compare(CLI::App& app, Action& chosen) {
    CLI::App& verb = *app.add_subcommand("compare", "the whole model treated in several ways, side by side");
    verb.require_subcommand(1);
    add_formats(verb, chosen);
    add_techniques(verb, chosen);
    add_calibration(verb, chosen);
}

}  // namespace assay::cli
